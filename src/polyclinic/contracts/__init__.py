"""What services may rely on from each other: one module per speaker, values only."""
