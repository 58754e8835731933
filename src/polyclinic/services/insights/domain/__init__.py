"""What is true of risks, lists and cards; pure."""
