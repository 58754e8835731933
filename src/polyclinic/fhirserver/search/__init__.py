"""Search: a query is parsed, a path is chosen, candidates are opened and each is verified."""
