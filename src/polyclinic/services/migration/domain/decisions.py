"""Decisions in a chain of hashes: none can be changed or left out without breaking it."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import msgspec


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Who decided what about what, and when; `document` is JSON, `text` the reason in words."""

    number: int
    at: datetime
    author: str
    kind: str
    subject: str
    text: str
    document: bytes
    digest: bytes = b""


def sealed(before: Decision | None, decision: Decision) -> Decision:
    """The decision with its hash over all that it says and the hash before it."""
    parts = (
        before.digest if before else b"",
        str(decision.number).encode(),
        decision.at.isoformat().encode(),
        decision.author.encode(),
        decision.kind.encode(),
        decision.subject.encode(),
        decision.text.encode(),
        decision.document,
    )
    whole = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return msgspec.structs.replace(decision, digest=hashlib.sha256(whole).digest())


def first_break(chain: Iterable[Decision]) -> int | None:
    """The number of the first decision that is not what was decided; None for a whole chain."""
    before: Decision | None = None
    for decision in chain:
        expected = before.number + 1 if before else 1
        if decision.number != expected or sealed(before, decision).digest != decision.digest:
            return expected
        before = decision
    return None
