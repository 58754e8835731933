"""What insights keeps: the only SQL."""
