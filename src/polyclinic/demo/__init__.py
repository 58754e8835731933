"""The demo clinic: a place to look around in, made of synthetic people only."""
