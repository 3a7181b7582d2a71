"""Tables of who is crawled, and by whom: domains, and the jobs that claim them."""
