"""Ranks: what came later, and what must not go back whatever came later."""

from typing import Any

from polyclinic.services.integration.domain.intents import Rank
from polyclinic.services.integration.domain.mapping import times
from polyclinic.services.integration.domain.mapping.nodes import of_text
from polyclinic.services.integration.domain.mapping.primitives import moment
from polyclinic.services.integration.domain.mapping.reading import Reading

# A result goes on from registered over preliminary to final and corrected, and never back. What
# was corrected may be corrected again, also by taking it back: there the later one holds.
_OF_RESULTS = {
    "registered": "0", "unknown": "0", "partial": "1", "preliminary": "1", "cancelled": "2",
    "final": "3", "amended": "4", "corrected": "4", "appended": "4", "entered-in-error": "4",
}  # fmt: skip
# A late "new order" does not open an order that was ended.
_OF_ORDERS = {
    "unknown": "0", "draft": "0", "active": "1", "on-hold": "1", "completed": "2", "revoked": "2",
    "cancelled": "2", "stopped": "2", "entered-in-error": "3",
}  # fmt: skip
_OF_DOCUMENTS = {"current": "0", "superseded": "0", "entered-in-error": "1"}
_ORDERS = {"observation": _OF_RESULTS, "report": _OF_RESULTS, "order": _OF_ORDERS,
           "document": _OF_DOCUMENTS}  # fmt: skip


def rank_of(how: str, resource: dict[str, Any], at: Rank) -> Rank:
    """`moment`, `never` (only a new one is written), or the order of a kind's states first."""
    if how == "never":
        return ("", "")
    order = _ORDERS.get(how)
    if order is None:
        return at
    status = str(resource.get("status", ""))
    return (order.get(status, "0"), *at)


def occurred(reading: Reading) -> tuple[str, Rank]:
    """When it happened, as an instant, and the rank of it: EVN-2, then MSH-7.

    An EVN-2 after its own message is a typing mistake: it would shut out all that comes later.
    """
    message = reading.message
    sent = moment(of_text(message.get("MSH-7.1"), "MSH-7"), reading)
    recorded = moment(of_text(message.get("EVN-2.1"), "EVN-2"), reading)
    first = recorded and recorded.at
    last = sent and times.start_of(sent, reading.channel.zone)
    if last is None and first is None:
        reading.note("MSH-7", "Nothing says when it happened; it changes nothing that is known.")
        return "", ("", "")
    if first is not None and last is not None and times.later(last, 1440) < first:
        reading.note("EVN-2", "It is a day or more after MSH-7, which holds instead.")
        first = last
    at, beside = first or last, last or first
    assert at is not None
    assert beside is not None
    return times.instant(at), (times.sortable(at), times.sortable(beside))
