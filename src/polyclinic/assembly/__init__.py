"""Puts services together: into one process or many, behind one front door."""
