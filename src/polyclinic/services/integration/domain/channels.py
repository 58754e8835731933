"""A channel: who sends what by which way, and what is made of it; a frozen value out of YAML."""

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import yaml
from msgspec import Meta, Struct

from polyclinic.foundation.errors import Invalid, NotProcessable

YAML_MAX = 1024 * 1024
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Trigger = Annotated[str, Meta(pattern=r"^[A-Z0-9]{3}(\^([A-Z0-9]{3}|\*))?$")]
Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Minutes = Annotated[int, Meta(ge=1, le=7 * 24 * 60)]
SystemId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
KeepDays = Annotated[int, Meta(ge=1, le=36_525)]


class Sender(Struct, frozen=True, forbid_unknown_fields=True):
    """MSH-3 and MSH-4 as the sender writes them; what is empty may be anything."""

    application: str = ""
    facility: str = ""


class Expected(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """On these days between these times something comes at least so often."""

    minutes: Minutes
    days: tuple[str, ...] = DAYS
    from_: Clock = "00:00"
    until: Clock = "23:59"


class Keep(Struct, frozen=True, forbid_unknown_fields=True):
    """For how many days messages are kept, by state; what is not finished is kept."""

    done: KeepDays = 90
    ignored: KeepDays = 90
    skipped: KeepDays = 365


class Fixture(Struct, frozen=True, forbid_unknown_fields=True):
    """A message, and what must be made of it; said is what counts, the rest may be anything."""

    name: str
    message: str
    expect: dict[str, Any]


class Channel(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One version of a channel. Each field's meaning: docs/guides/connect-a-sender.md."""

    name: Name
    source: Literal["mllp", "http", "folder"]
    # What comes: HL7 v2 messages, C-CDA documents, or rows of a spreadsheet of patients.
    format: Literal["hl7v2", "ccda", "rows"] = "hl7v2"
    about: str = ""
    accepts: tuple[Trigger, ...] = ()
    senders: tuple[Sender, ...] = ()
    # Names proven by a certificate (mllp) or an access token (http).
    clients: tuple[str, ...] = ()
    processing: tuple[str, ...] = ("P",)
    systems: dict[str, str] = {}
    mode: Literal["snapshot", "action"] = "snapshot"
    create_person: bool = True
    charset: str = ""
    zone: str = "UTC"
    unsupported: Literal["AA", "AR"] = "AA"
    # The id of a system (`/integration/destinations`) that hears second acknowledgements.
    acknowledge_to: SystemId | None = None
    expect: tuple[Expected, ...] = ()
    keep: Keep = Keep()
    # What mapping alone reads: switches and tables of this sender.
    mapping: dict[str, Any] = {}
    fixtures: tuple[Fixture, ...] = ()

    def __post_init__(self) -> None:
        _check_zone(self.zone)
        if self.format == "hl7v2" and not self.accepts:
            raise ValueError("a channel of HL7 v2 says which triggers it accepts")
        for each in self.expect:
            _check_expected(each)

    def takes(self, code: str, event: str) -> bool:
        """Whether messages of this trigger are mapped; `ADT` and `ADT^*` mean all of them."""
        return any(accepted in (code, f"{code}^*", f"{code}^{event}") for accepted in self.accepts)

    def knows(self, application: str, facility: str) -> bool:
        return not self.senders or any(
            each.application in ("", application) and each.facility in ("", facility)
            for each in self.senders
        )


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{zone!r} is no time zone of the IANA list") from None


def _check_expected(expected: Expected) -> None:
    for day in expected.days:
        if day not in DAYS:
            raise ValueError(f"{day!r} is no day of the week")
    if expected.from_ >= expected.until:
        raise ValueError("expected traffic begins before it ends")


def read(text: bytes) -> Channel:
    """A channel out of YAML; raises Invalid naming the line or the field."""
    if len(text) > YAML_MAX:
        raise Invalid("A channel has at most 1 MB.", place="body")
    try:
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        place = f"line {mark.line + 1}" if mark else "body"
        raise Invalid(f"This is no YAML: {broken.problem}.", place=place) from broken
    except (yaml.YAMLError, ValueError, RecursionError) as broken:
        raise Invalid("This is no YAML.", place="body") from broken
    try:
        return msgspec.convert(value, Channel)
    except (msgspec.ValidationError, RecursionError) as refused:
        text_, _, place = str(refused).partition(" - at `")
        raise Invalid(f"{text_}.", place=place.rstrip("`").removeprefix("$.") or "body") from None


class FixtureFailed(NotProcessable):
    """A fixture of the channel fails; nothing was deployed."""


def first_difference(expected: Any, found: Any, place: str = "") -> str | None:
    """Where what was found is not what was expected, as a sentence; said fields count only.

    Of two lists each element counts.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            if name not in found:
                return f"{_joined(place, name)} is missing"
            if text := first_difference(value, found[name], _joined(place, name)):
                return text
        return None
    if isinstance(expected, list) and isinstance(found, list | tuple):
        if len(expected) != len(found):
            return f"{place} has {len(found)} entries, not {len(expected)}"
        pairs = enumerate(zip(expected, found, strict=True))
        texts = (first_difference(a, b, f"{place}[{n}]") for n, (a, b) in pairs)
        return next(filter(None, texts), None)
    return None if expected == found else f"{place} is {found!r}, not {expected!r}"


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def silent_since(
    expected: Sequence[Expected], zone: str, last: datetime | None, now: datetime
) -> datetime | None:
    """Since when something should have come, if it should have; `last` is when something came.

    Only time within the expected hours counts: a channel is not silent in its night.
    """
    here = now.astimezone(ZoneInfo(zone))
    for each in expected:
        clock = here.strftime("%H:%M")
        if DAYS[here.weekday()] not in each.days or not each.from_ <= clock <= each.until:
            continue
        begun = datetime.combine(here.date(), time.fromisoformat(each.from_), here.tzinfo)
        heard = max(begun, last) if last is not None else begun
        if now - heard > timedelta(minutes=each.minutes):
            return heard
    return None


def kind_of(code: str, event: str) -> str:
    """`ADT^A01`, of words that may stand in a log; what else stands there is `other`."""
    if not re.fullmatch(r"[A-Z0-9]{3}", code):
        return "other"
    return f"{code}^{event}" if re.fullmatch(r"[A-Z0-9]{3}", event) else code
