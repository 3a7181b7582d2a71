"""What clients of OpenAI-compatible endpoints share: transport, and what failures mean.

What is asked is in `embedding` and `llm`.
"""
