"""What appointments can do. One action is one transaction."""
