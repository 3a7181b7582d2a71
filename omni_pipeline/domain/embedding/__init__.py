"""What is known of embedding models: limits, prices, batches, when a response may be used.

Who speaks to an endpoint is `gateways.embedding`.
"""
