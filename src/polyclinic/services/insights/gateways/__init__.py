"""Whom insights asks."""
