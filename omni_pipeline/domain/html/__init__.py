"""HTML as parsed data: a tree, its metadata, JSON-LD and microdata, and what parsing will cost.

What of it is worth reading is decided in `text` and `products`.
"""
