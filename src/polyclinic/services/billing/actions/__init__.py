"""What billing can do. One action is one transaction."""
