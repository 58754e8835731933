"""What is true about sign-ins, clients, grants and tokens, as plain values and functions."""
