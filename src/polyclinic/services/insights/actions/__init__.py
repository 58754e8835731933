"""What insights can do."""
