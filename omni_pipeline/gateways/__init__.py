"""The world: one package for each thing outside, with its errors turned into our outcomes.

No rule of ours is decided here.
"""
