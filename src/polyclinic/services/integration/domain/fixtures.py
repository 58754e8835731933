"""Fixtures: a channel is believed when it makes of each of its messages what it says it does."""

from dataclasses import dataclass

from polyclinic.services.integration.domain.arriving import arrive
from polyclinic.services.integration.domain.channels import Channel, Fixture, first_difference
from polyclinic.services.integration.domain.translating import Translate, as_value
from polyclinic.standards.hl7v2 import Malformed


@dataclass(frozen=True, slots=True)
class Failure:
    """A fixture that fails: which, and where."""

    name: str
    text: str


def failures(channel: Channel, translate: Translate) -> list[Failure]:
    """The fixtures that fail, in order. `answer`, `state` and `reason` may be expected, too."""
    found: list[Failure] = []
    for fixture in channel.fixtures:
        text = _failure(channel, fixture, translate)
        if text is not None:
            found.append(Failure(fixture.name, f"Fixture {fixture.name!r}: {text}."))
    return found


def _failure(channel: Channel, fixture: Fixture, translate: Translate) -> str | None:
    # YAML ends lines with LF; the standard wants CR.
    raw = fixture.message.strip("\n").replace("\n", "\r").encode() + b"\r"
    arrived = arrive(channel, raw)
    found: dict[str, object] = {
        "answer": arrived.answer.code,
        "state": arrived.state or "refused",
        "reason": arrived.reason,
    }
    if arrived.message is not None and arrived.state == "received":
        try:
            found |= as_value(translate(arrived.message, channel))
        except Malformed as malformed:
            return f"it cannot be mapped: {malformed}"
        except Exception as refused:  # noqa: BLE001 - whatever a mapping does, it is the channel's
            return f"it cannot be mapped: {type(refused).__name__}: {refused}"
    elif "intents" in fixture.expect:
        return f"it is not mapped: {found['answer']}, {found['reason']}"
    return first_difference(fixture.expect, found)
