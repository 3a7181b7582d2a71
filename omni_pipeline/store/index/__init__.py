"""Tables of the index: chunks, vectors, models; publishing and search."""
