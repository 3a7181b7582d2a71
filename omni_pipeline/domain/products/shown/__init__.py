"""What readers see of a product: prices and the words beside them, tables, stock.

What pages declare for machines is in `declared`.
"""
