"""Whom audit asks: every service's trails, identity for people, and the anchor file."""
