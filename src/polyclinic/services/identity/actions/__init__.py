"""What identity can do: one function is one sentence, and mostly one transaction."""
