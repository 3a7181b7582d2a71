"""What people see in the asset graph: assets, their checks, columns and metadata.

How a run claims its domain is in `runs`; what watches between runs is in `watch`.
"""
