"""What integration can do: one function, one transaction, one sentence."""
