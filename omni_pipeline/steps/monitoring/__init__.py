"""What is wrong, and who has to be notified of it.

What is counted is in `checks`.
"""
