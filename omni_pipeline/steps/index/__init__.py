"""Steps 3 and 4: chunks are staged, vectors embedded within a budget, pages published whole.

Answers are read in `search`.
"""
