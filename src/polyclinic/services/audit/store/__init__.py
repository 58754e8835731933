"""What audit keeps: leaves, nodes, checkpoints and the ledger of disclosures."""
