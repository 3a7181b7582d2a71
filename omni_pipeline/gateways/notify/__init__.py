"""Tells people: apprise targets and signed webhooks.

What is told, and when, is in `steps.monitoring`.
"""
