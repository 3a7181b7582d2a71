"""What steps work with, opened when first asked for: site, model, chunker, shared limits.

The clients themselves are in `gateways`.
"""
