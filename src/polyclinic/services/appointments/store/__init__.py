"""The tables of appointments: the only SQL, always in one order of locks.

Claims of idempotency keys come first, then atoms by resource and time: who waits, waits upwards.
"""
