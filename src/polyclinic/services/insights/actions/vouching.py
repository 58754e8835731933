"""Checks who calls CDS Hooks, each proof once for all replicas; keeps what EHRs say of cards."""

import hashlib
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from polyclinic.foundation import clock, jose
from polyclinic.foundation.errors import Invalid, Unauthenticated
from polyclinic.services.insights.actions.hooking import Ehr
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain import cds, proofs
from polyclinic.services.insights.domain.worklist import REASONS
from polyclinic.services.insights.store import proofs as rows

OTHER = "other"
Body = TypeVar("Body")
FEEDBACK_MAX = 100
# The only further header that CDS Hooks allows; gateways/issuers.py compares it with our own list.
MORE = frozenset({"jku"})


class Accepted(msgspec.Struct, frozen=True):
    """A suggestion that was taken."""

    id: UUID


class Coded(msgspec.Struct, frozen=True):
    """The code of a reason."""

    code: str = ""


class Overridden(msgspec.Struct, frozen=True):
    """The comment of a user is left where it came from: it may say anything about anybody."""

    reason: Coded = Coded()


class Said(msgspec.Struct, frozen=True):
    """What became of one card."""

    card: UUID
    outcome: str
    outcomeTimestamp: datetime  # noqa: N815 - the specification's own words
    acceptedSuggestions: list[Accepted] = []  # noqa: N815
    overrideReason: Overridden = Overridden()  # noqa: N815


class Feedback(msgspec.Struct, frozen=True):
    """What became of several cards."""

    feedback: list[Said]


def kind_of(token: str) -> str:
    """The type that a token says it has; raises Unauthenticated for what is none."""
    try:
        return jose.peek(token, more=MORE).typ or ""
    except jose.BadToken as bad:
        raise Unauthenticated(bad.message) from bad


async def proven(engine: Engine, token: str, path: str) -> Ehr:
    """The EHR that a token is from; raises Unauthenticated."""
    ours = engine.running.platform.public_url
    try:
        seen = jose.peek(token, more=MORE)
        kid = proofs.key_id(seen)
        issuer = jose.claimed_issuer(seen)
        key, alg = await engine.issuers.key(issuer, kid, seen.jku)
        claims = jose.verify(seen, key, alg)
        now = int(clock.now().timestamp())
        proof = proofs.check(claims, issuer, f"{ours}{path}" if ours else "", now)
    except jose.BadToken as bad:
        raise Unauthenticated(bad.message) from bad
    digest = hashlib.sha256(f"{proof.issuer}\n{proof.token_id}".encode()).digest()
    until = datetime.fromtimestamp(proof.expires, UTC)
    if not await rows.is_new(engine.database, digest, until):
        raise Unauthenticated("The token came before.")
    return Ehr(issuer)


async def hear(engine: Engine, ehr: Ehr, name: str, said: Feedback) -> dict[str, Any]:
    """Counts what people did with cards that were shown; of others nothing is kept."""
    cds.service(name)
    if len(said.feedback) > FEEDBACK_MAX:
        raise Invalid(f"At most {FEEDBACK_MAX} at once.", place="feedback")
    kept: list[tuple[UUID, datetime, str, str, str]] = []
    for number, each in enumerate(said.feedback):
        if each.outcome not in ("accepted", "overridden"):
            raise Invalid("accepted or overridden.", place=f"feedback[{number}].outcome")
        code = each.overrideReason.reason.code
        reason = (code if code in REASONS else OTHER) if each.outcome == "overridden" else ""
        accepted = "{" + ",".join(str(one.id) for one in each.acceptedSuggestions[:10]) + "}"
        kept.append((each.card, each.outcomeTimestamp, each.outcome, reason, accepted))
    new = 0
    if kept:
        async with engine.database.transaction() as tx:
            new = await rows.keep_feedback(tx, kept, name, ehr.issuer)
    return {"kept": new}
