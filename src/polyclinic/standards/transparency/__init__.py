"""Logs that prove what they hold: Merkle trees of RFC 6962, and checkpoints as signed notes."""
