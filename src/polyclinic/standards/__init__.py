"""The standards we speak, as pure functions from bytes to values: no I/O but our own data."""
