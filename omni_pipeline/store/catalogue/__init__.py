"""Tables of what sites sell and who runs them: products, price snapshots, companies."""
