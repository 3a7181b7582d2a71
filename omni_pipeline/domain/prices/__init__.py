"""Money as shops write it: amounts, currencies, kinds of price, availability, history.

Which product a price belongs to is in `products`.
"""
