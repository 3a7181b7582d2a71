"""Tables of the crawl: pages as fetched, the frontier, failures, and what was learned of a site."""
