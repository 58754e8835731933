"""Addresses of old databases that are accepted. Pure."""

from urllib.parse import parse_qs, urlsplit

from polyclinic.foundation.errors import Invalid

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# What else an address of PostgreSQL may say; the driver would take anything as a setting.
_WORDS = ("host", "port", "search_path", "sslmode", "sslrootcert", "sslcert", "sslkey")
_SUCH_AS = "An address such as sqlite:////srv/old.db or postgresql://me@host/old, no password."
_TRIED = "Rows are moved from and to SQLite and PostgreSQL; mirror other tables into one of them."


def check_address(url: str) -> None:
    """A password belongs into a file or the environment, not into a table. Raises Invalid."""
    try:
        parts = urlsplit(url)
        has_password, words = parts.password is not None, parse_qs(parts.query)
    except ValueError:
        raise Invalid("This is no address of a database.", place="url") from None
    if not parts.scheme or has_password or any("password" in word for word in words):
        raise Invalid(_SUCH_AS, place="url")
    if parts.scheme.partition("+")[0] == "sqlite":
        return
    if parts.scheme not in ("postgresql", "postgres"):
        raise Invalid(_TRIED, place="url")
    if not set(words) <= set(_WORDS):
        raise Invalid(f"Behind the address may stand {', '.join(_WORDS)}.", place="url")
    if not set(words.get("sslmode", [])) <= set(_MODES):
        raise Invalid(f"sslmode is one of {', '.join(_MODES)}.", place="url")
