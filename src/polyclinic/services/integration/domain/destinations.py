"""Who is told: a receiver, what is secret of it, and how its secrets change."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from polyclinic.foundation.errors import Invalid

SECRETS_MAX = 4
OVERLAP_HOURS_MAX = 7 * 24
ACTIVE, DISABLED = "active", "disabled"
# After so long without one success, a receiver whose message died is disabled.
PATIENCE = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver, as far as it may be read by anybody who reads the table."""

    id: UUID
    kind: str
    status: str
    reason: str
    kinds: tuple[str, ...]
    owner: str
    version: int
    failures: int
    failing: datetime | None
    rests_until: datetime
    made: datetime


class Secret(msgspec.Struct, frozen=True):
    """A signing secret; without `until` it is the current one."""

    text: str
    until: datetime | None = None


class Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscriber wants to hear of: resources of a kind that fit, as its client sees them."""

    kind: str
    pairs: list[tuple[str, str]]
    topic: str = ""
    content: str = "id-only"
    plain: bool = False  # R4 without a payload: a POST without a body
    heartbeat: int = 0
    handle: str = ""  # by which we ask in the client's name


class Particulars(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of a receiver. An hl7v2 one has `host`, `port` and `systems`, no `url`."""

    url: str = ""
    name: str = ""
    headers: dict[str, str] = {}
    secrets: list[Secret] = []
    host: str = ""
    port: int = 0
    # HL7 v2: what stands in MSH-5 and MSH-6, the version, and the channels it sends us messages by.
    application: str = ""
    facility: str = ""
    channels: list[str] = []
    subscribed: Subscribed | None = None

    def signing(self, now: datetime) -> list[str]:
        """The secrets to sign with: the current one first, then those that still count."""
        live = [each for each in self.secrets if each.until is None or each.until > now]
        return [each.text for each in sorted(live, key=lambda each: each.until is not None)]

    def rotated(self, fresh: str, now: datetime, hours: int) -> "Particulars":
        """A new secret; what was current counts for some hours more."""
        if not 0 <= hours <= OVERLAP_HOURS_MAX:
            raise Invalid(
                f"The old secret counts for 0 to {OVERLAP_HOURS_MAX} hours.", place="hours"
            )
        until = now + timedelta(hours=hours)
        old = [
            Secret(each.text, min(each.until or until, until))
            for each in self.secrets
            if each.until is None or each.until > now
        ]
        kept = [each for each in old if each.until is not None and each.until > now]
        return msgspec.structs.replace(self, secrets=[Secret(fresh), *kept[: SECRETS_MAX - 1]])
