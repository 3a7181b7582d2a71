"""From texts to vectors: the client of embedding endpoints, and the model inside this process.

What both OpenAI clients share is in `openai`.
"""
