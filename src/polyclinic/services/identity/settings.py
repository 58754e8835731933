"""Identity's settings, each with a sentence in `NOTES`."""

from polyclinic.foundation.settings import Settings


class IdentitySettings(Settings, frozen=True, kw_only=True):
    """How long things last and how dear a guess is."""

    clinic: str = "Northside"
    access_minutes: int = 15
    system_access_minutes: int = 60
    refresh_hours: int = 12
    code_seconds: int = 60
    session_minutes: int = 30
    form_minutes: int = 30
    key_days: int = 90
    # OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane.
    argon2_memory_kib: int = 19_456
    argon2_passes: int = 2
    tries_free: int = 5
    lock_first_seconds: int = 30
    lock_longest_seconds: int = 900
    source_tries_free: int = 40
    proxies_trusted: int = 0


NOTES = {
    "clinic": "The clinic's name on the sign-in page.",
    "access_minutes": "How long a person's access token lives.",
    "system_access_minutes": "How long an operator's or system client's access token lives.",
    "refresh_hours": "How long after signing in a client may renew its tokens.",
    "code_seconds": "How long an authorization code may be exchanged.",
    "session_minutes": "How long a browser stays signed in at identity itself.",
    "form_minutes": "How long a sign-in form may stay open before it must be reloaded.",
    "key_days": "After how many days a new signing key is made.",
    "argon2_memory_kib": "Memory of one Argon2id run.",
    "argon2_passes": "Passes of one Argon2id run.",
    "tries_free": "Wrong passwords for one user name before it is locked for a while.",
    "lock_first_seconds": "The first lock; each further wrong password doubles it.",
    "lock_longest_seconds": "The longest lock.",
    "source_tries_free": "Wrong passwords from one address before the address is locked.",
    "proxies_trusted": "How many of our own proxies add to X-Forwarded-For; 0 ignores the header.",
}
