"""What is looked at after a stage wrote: counts, plausibility, invariants, freshness.

How people are told is in `monitoring`.
"""
