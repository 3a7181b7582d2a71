"""Tables of what endpoints cost and bear: tokens, rate limits, circuit breakers."""
