"""What pages declare of products for machines: schema.org, Open Graph, the state of their scripts.

What readers see is in `shown`.
"""
