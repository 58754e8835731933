"""What audit does: gather, sign, prove, find and account."""
