"""What a page sells: every source of it, the evidence, and the choice between them.

Amounts and currencies are read in `prices`.
"""
