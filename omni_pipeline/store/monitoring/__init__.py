"""Tables of what is watched: alerts, invariants, verifications."""
