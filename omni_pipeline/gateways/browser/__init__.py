"""Chromium: found or installed, kept as a pool of processes, one tab a page.

Which hosts it may reach is decided by `egress`.
"""
