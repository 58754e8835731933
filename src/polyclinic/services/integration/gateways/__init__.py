"""Whom integration asks: the owners of what messages speak of, and systems outside."""
