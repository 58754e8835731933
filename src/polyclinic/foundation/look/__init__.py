"""The look that every page shares: tokens, type, controls, shells, icons and the base template."""
