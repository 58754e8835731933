"""What integration keeps: the only SQL, in its own schema."""
