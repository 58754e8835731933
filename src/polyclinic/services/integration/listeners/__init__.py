"""The doors that are not HTTP."""
