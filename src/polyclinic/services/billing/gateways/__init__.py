"""Whom billing asks: card gateways, payers and the other services."""
