"""Whom migration asks: the old system, and the owners of what moves."""
