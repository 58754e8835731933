"""Facts of a chart, and the same facts as events of somebody whom nobody can name."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

BIRTH, DEATH = "MEDS_BIRTH", "MEDS_DEATH"
# Ages of 90 and above are one group (45 CFR 164.514(b)(2)(i)(C)).
AGE_MAX = 90
# Whole weeks, so that Mondays stay Mondays; up to three years, always to the past: a date of the
# future would say by itself how far it was moved.
_WEEKS = 156


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a resource says, at its true time.

    `known_at` is when the clinic could know it: a result's issue, a diagnosis' recording. `unit` is
    a UCUM unit of the platform's table. A fact has no text.
    """

    time: datetime
    known_at: datetime
    code: str
    value: float | None = None
    unit: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A fact in MEDS shape: subject, time, code, numeric_value; what stands beside is ours.

    `subject` and `source` (which resource said it) are keyed hashes of 16 bytes, both times are
    moved by the subject's own constant.
    """

    subject: bytes
    time: datetime
    known_at: datetime
    code: str
    value: float | None
    unit: str
    source: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Pseudonyms:
    """Keyed names and shifts of one generation; those of another are others.

    Only `source` stays, so that events can be moved from an older generation into the present one.
    """

    secret: bytes
    generation: int

    def subject(self, patient: str) -> bytes:
        """16 bytes for `Patient/<id>`; nobody without the key finds back."""
        return self._keyed("subject", patient)[:16]

    def source(self, reference: str) -> bytes:
        """16 bytes for the resource that says something: told again, it replaces."""
        content = f"source|{reference}".encode()
        return hmac.digest(self.secret, content, "sha256")[:16]

    def shift(self, patient: str) -> timedelta:
        """By how much all times of a patient are moved: 1 to 156 weeks to the past."""
        number = int.from_bytes(self._keyed("shift", patient)[:8], "big")
        return -timedelta(weeks=1 + number % _WEEKS)

    def hidden(self, patient: str, facts: Iterable[Fact], today: datetime) -> tuple[Event, ...]:
        """The facts as events; what is older than 90 years is moved to then."""
        subject, shift = self.subject(patient), self.shift(patient)
        return tuple(
            Event(
                subject,
                fact.time + shift,
                fact.known_at + shift,
                fact.code,
                fact.value,
                fact.unit,
                self.source(fact.reference),
            )
            for fact in (_capped(each, today) for each in facts)
        )

    def _keyed(self, purpose: str, text: str) -> bytes:
        content = f"{self.generation}|{purpose}|{text}".encode()
        return hmac.digest(self.secret, content, "sha256")


def _capped(fact: Fact, today: datetime) -> Fact:
    """Nothing lies further back than 90 years: not the birth, and not what is dated like it.

    By the year, so that the same chart read tomorrow says the same.
    """
    oldest = datetime(today.year - AGE_MAX, 1, 1, tzinfo=UTC)
    if fact.time >= oldest:
        return fact
    return replace(fact, time=oldest, known_at=max(fact.known_at, oldest))
