"""What a line of FT1 says, in billing's words."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from polyclinic.services.integration.domain.intents import Coded
from polyclinic.services.integration.domain.mapping import parties, primitives
from polyclinic.services.integration.domain.mapping.kinds.basic import Kind
from polyclinic.services.integration.domain.mapping.nodes import Node
from polyclinic.services.integration.domain.mapping.reading import Scope

_AMOUNT = re.compile(r"[+-]?\d{1,7}(\.\d{0,4})?", re.ASCII).fullmatch  # below ten millions


def _coded_of(node: Node, _: str, scope: Scope) -> Any:
    found = primitives.coding(node, scope.reading)
    if found is None:
        return None
    return Coded(found["code"], found.get("system", ""), found.get("display", ""))


def _amount(node: Node, _: str, scope: Scope) -> Any:
    """A decimal text; none, with an error, for what is no amount of money."""
    text = node.get("1") or ""
    if not _AMOUNT(text):
        scope.reading.note(node.place, "That is no amount.", "error")
        return None
    return f"{Decimal(text):f}"


def _currency(node: Node, _: str, __: Scope) -> Any:
    """Where it stands depends on the sender's version; a price type is none."""
    text = node.text or ""
    return text if re.fullmatch(r"[A-Z]{3}", text) else None


def _party_of(node: Node, _: str, scope: Scope) -> Any:
    return parties.practitioner(node, scope.reading)


KINDS: Mapping[str, Kind] = {
    "CodedOf": _coded_of,
    "Amount": _amount,
    "Number": _amount,
    "Currency": _currency,
    "PartyOf": _party_of,
}
