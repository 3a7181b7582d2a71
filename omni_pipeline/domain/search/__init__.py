"""What people see of an answer, and how the quality of answers is measured.

The search itself is SQL, in `store.index`.
"""
