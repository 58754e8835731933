"""Cookies are for one host over TLS; on one's own computer without TLS they go plain."""

import pytest
from starlette.responses import Response

from polyclinic.foundation.html import Cookie, is_own_computer

COOKIE = Cookie("polyclinic")


@pytest.mark.parametrize(
    ("base", "is_own"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost", True),
        ("http://[::1]:8080", True),
        ("https://127.0.0.1:8080", False),
        ("https://clinic.example", False),
        ("http://clinic.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://127.0.0.1@evil.example", False),
        ("http://[", False),
        ("", False),
        (None, False),
    ],
)
def test_a_cookie_is_plain_on_ones_own_computer_without_tls_only(base: str | None, is_own: bool):
    assert is_own_computer(base) is is_own
    for change in (lambda r: COOKIE.keep(r, base, "secret", 60), lambda r: COOKIE.drop(r, base)):
        response = Response()
        change(response)
        sent = response.headers["set-cookie"]
        assert sent.startswith("polyclinic=" if is_own else "__Host-polyclinic=")
        parts = {part.strip().lower() for part in sent.split(";")}
        assert {"path=/", "httponly", "samesite=lax"} <= parts
        assert ("secure" in parts) is not is_own
        assert not any(part.startswith("domain") for part in parts)
