"""What migration can do: one function, one transaction, one sentence."""
