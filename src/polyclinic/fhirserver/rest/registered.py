"""Registered actions: how a service that owns a type lets it be written through the FHIR door.

The action changes the service's own tables and puts the resource (`Store.apply`) in the same
transaction: the domain tables are the truth. A write without a registered action answers 405.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.store.store import Outcome

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """A checked write: the grant for the type was found; `id` and `version` where there are any."""

    errand: Errand
    id: str | None
    resource: Resource | None
    if_match: int | None
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class Operation:
    """A call of `$name` on a type or one resource, with its query and its Parameters (or None)."""

    errand: Errand
    id: str | None
    pairs: tuple[tuple[str, str], ...]
    parameters: Resource | None
    idempotency_key: str | None


WriteAction = Callable[[Write], Awaitable[Outcome]]
OperationAction = Callable[[Operation], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Registered:
    """What may be done to one type besides reading and searching it.

    Operations are named `$find` (GET or POST on the type) or `$cancel` (on one resource as well).
    """

    create: WriteAction | None = None
    update: WriteAction | None = None
    delete: WriteAction | None = None
    operations: Mapping[str, OperationAction] = field(default_factory=dict[str, OperationAction])
