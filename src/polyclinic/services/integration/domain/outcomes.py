"""What became of a message once its effects were tried."""

from dataclasses import dataclass
from typing import Literal

State = Literal["done", "ignored", "waiting", "parked"]


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that an owner did for a message: `Patient/<id>`, its version, and what was done."""

    name: str
    did: Literal["created", "updated", "unchanged", "deleted"] = "updated"
    version: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a message stands now.

    done     every effect is kept by its owner
    ignored  there was nothing to do; `reason` says why
    waiting  a person must say who or what is meant: `reason` is the queue (`person`, `order` …).
             Later messages of the same patient go on meanwhile
    parked   it cannot succeed as it is; `reason` is a code. Later messages of the same patient wait

    What passes by itself (an owner that is down) is raised as Unavailable, and tried again.
    """

    state: State
    reason: str = ""
    # A sentence without patient data, for the staff page.
    text: str = ""
    effects: tuple[Effect, ...] = ()
    # `Patient/<id>` of everybody whom it concerns, as far as they are known.
    patients: tuple[str, ...] = ()
