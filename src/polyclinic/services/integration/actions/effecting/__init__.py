"""Has the owners do what a message asks: each effect once, by their own rules, or not at all."""
