"""The link on a bill: opaque, it ends, and it asks for the birth date before it says anything."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from uuid import UUID

from polyclinic.foundation.errors import Gone, NotProcessable

FAILURES_MAX = 5
PATH = "/pay/"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{27}", re.ASCII)


class LinkEnded(Gone):
    """This link can no longer be used; sign in, or ask the clinic for a new bill."""


class WrongAnswer(NotProcessable):
    """That is not the birth date of the person whom this bill is for."""


class NobodyKnows(NotProcessable):
    """The clinic has no birth date to compare with; pay at the front desk or sign in."""


def token(secret: bytes, statement: UUID, generation: int) -> str:
    """160 bits that only the holder of the secret can make: no table has them."""
    words = statement.bytes + generation.to_bytes(4, "big")
    return urlsafe_b64encode(hmac.new(secret, words, hashlib.sha256).digest()[:20]).decode()[:27]


def hashed(given: str) -> bytes | None:
    """What the table keeps of a token; None for what cannot be one."""
    return hashlib.sha256(given.encode()).digest() if _TOKEN.fullmatch(given) else None
