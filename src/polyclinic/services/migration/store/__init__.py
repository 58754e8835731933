"""What migration keeps: the only SQL, in its own schema."""
