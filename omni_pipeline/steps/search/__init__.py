"""Questions to the index, and how good its answers are.

The search itself is SQL, in `store.index`.
"""
