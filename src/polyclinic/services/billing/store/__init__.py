"""What billing keeps: the only SQL, only in its own schema."""
