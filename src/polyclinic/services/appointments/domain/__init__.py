"""The rules of appointments: hours, openings, states and who may do what. No clock, no I/O."""
