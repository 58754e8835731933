"""Forms that only the browser can send to which they were shown (CSRF, login CSRF)."""

import base64
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from polyclinic.services.identity.actions.state import Identity
from polyclinic.services.identity.domain.authorization import FIELDS
from polyclinic.services.identity.domain.problems import Stranger

BROWSER_SECRET_LENGTH = 43


def browser_secret(cookie: str | None) -> str:
    """The secret of a browser's form cookie, or a new one."""
    if cookie and len(cookie) == BROWSER_SECRET_LENGTH and cookie.isascii():
        return cookie
    return secrets.token_urlsafe(32)


def form_token(identity: Identity, secret: str, given: Mapping[str, str], now: datetime) -> str:
    """What the form carries: bound to the browser, to what was asked, and to a time."""
    until = int((now + timedelta(minutes=identity.settings.form_minutes)).timestamp())
    return f"{until}.{_mark(identity, secret, given, until)}"


def check_form_token(
    identity: Identity, cookie: str | None, given: Mapping[str, str], now: datetime
) -> None:
    """Raises Stranger for a form that was not shown to this browser, or too long ago."""
    until, _, mark = given.get("form_token", "").partition(".")
    if not cookie or not until.isascii() or not until.isdigit() or len(until) > 12:
        raise Stranger
    if not hmac.compare_digest(mark.encode(), _mark(identity, cookie, given, int(until)).encode()):
        raise Stranger
    if now.timestamp() >= int(until):
        raise Stranger


def _mark(identity: Identity, secret: str, given: Mapping[str, str], until: int) -> str:
    parts = (secret, str(until), *(given.get(name, "") for name in FIELDS))
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return base64.urlsafe_b64encode(identity.keyed_hash("form", text)).rstrip(b"=").decode()
