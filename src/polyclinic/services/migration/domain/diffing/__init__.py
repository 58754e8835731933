"""Whether two answers mean the same, and how much it matters where they do not."""
