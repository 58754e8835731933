"""What is true of money and claims; no clock, no I/O."""
