"""The pool of processes that clean pages, each with its budget of time and memory.

The rules are in `domain.text`.
"""
