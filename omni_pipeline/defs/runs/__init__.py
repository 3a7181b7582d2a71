"""A run as this project has it: the partition, the resource that claims it, how it is launched.

What the run materializes is in `lineage`.
"""
