"""`make bench`: what the platform does in a second, beside floors measured in the same run."""
