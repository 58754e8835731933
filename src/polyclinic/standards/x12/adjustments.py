"""A CAS segment is up to six adjustments of one group; both claims and remittances carry it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from polyclinic.standards.x12.elements import (
    need_amount,
    need_code,
    read_quantity,
    segment,
    write_amount,
    write_quantity,
)
from polyclinic.standards.x12.tokens import Segment

GROUPS = frozenset(("CO", "CR", "OA", "PI", "PR"))
_TRIPLES_MAX = 6


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Why a payer paid less (or more): a CAS group, a reason code, the amount taken off."""

    group: str  # CO contract, PR patient, OA other, PI payer's own, CR correction
    reason: str  # a CARC number
    amount: int
    quantity: Decimal | None = None


def read_adjustments(cas: Segment, claim_id: str = "") -> tuple[Adjustment, ...]:
    """All that one CAS segment says. Refused when a reason lacks its amount or the reverse."""
    group = cas[1]
    if group not in GROUPS:
        text = "An adjustment's group is CO, CR, OA, PI or PR."
        raise cas.refused(1, "IK403-7", text, claim_id)
    if not cas[2] or len(cas.elements) > 1 + 3 * _TRIPLES_MAX:
        text = "A CAS segment holds one to six adjustments."
        raise cas.refused(2, "IK403-1" if not cas[2] else "IK403-3", text, claim_id)
    return tuple(
        Adjustment(
            group,
            cas[first],
            need_amount(cas, first + 1),
            read_quantity(cas, first + 2) if cas[first + 2] else None,
        )
        for first in range(2, len(cas.elements) + 1, 3)
        if _is_told(cas, first, claim_id)
    )


def _is_told(cas: Segment, first: int, claim_id: str) -> bool:
    if cas[first]:
        return True
    if cas[first + 1] or cas[first + 2]:
        raise cas.refused(first, "IK403-2", "An adjustment has no reason.", claim_id)
    return False


def write_adjustments(adjustments: Iterable[Adjustment]) -> Iterator[Segment]:
    """In the order given: neighbours of one group share a segment."""
    for group, members in groupby(adjustments, key=lambda each: each.group):
        several = list(members)
        for start in range(0, len(several), _TRIPLES_MAX):
            elements = [need_code(group, 2, "CAS", 1)]
            for each in several[start : start + _TRIPLES_MAX]:
                quantity = "" if each.quantity is None else write_quantity(each.quantity)
                reason = need_code(each.reason, 5, "CAS", 2)
                elements += [reason, write_amount(each.amount), quantity]
            yield segment("CAS", *elements)
