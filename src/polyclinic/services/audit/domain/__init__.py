"""What is true of leaves, of events that are made of them, and of disclosures."""
