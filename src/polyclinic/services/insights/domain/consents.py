"""What somebody does not want: to be learned from, or to be scored. From their FHIR Consents (R4).

An active Consent that denies counts. Its purpose says what is denied: `learning` or `scoring` of
our own system, research (HRESCH of HL7 v3 ActReason) for learning; without a purpose both are.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from polyclinic.services.insights.domain.charts import resources
from polyclinic.services.insights.domain.charts.resources import each_of, part_of

PURPOSE = "urn:polyclinic:insights:purpose"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
LEARNING, SCORING = "learning", "scoring"
_DENIED = {
    (PURPOSE, LEARNING): frozenset({LEARNING}),
    (PURPOSE, SCORING): frozenset({SCORING}),
    (ACT_REASON, "HRESCH"): frozenset({LEARNING}),
}
_ALL = frozenset({LEARNING, SCORING})
Resource = Mapping[str, Any]


def objections(consents: Iterable[Resource], at: datetime) -> frozenset[str]:
    """`learning`, `scoring`, both or none: what is denied at a moment. What another Consent permits
    takes nothing back: whoever wants that ends the one that denies."""
    denied: set[str] = set()
    for consent in consents:
        if consent.get("status") == "active":
            for provision in _provisions(part_of(consent, "provision")):
                if provision.get("type") == "deny" and _is_now(provision, at):
                    denied |= _what(provision)
    return frozenset(denied)


def _provisions(provision: Resource) -> Iterator[Resource]:
    """The whole one and the exceptions in it; R4 has them two deep, we read five."""
    level: list[Resource] = [provision]
    for _ in range(5):
        yield from level
        level = [inner for each in level for inner in each_of(each, "provision")]


def _is_now(provision: Resource, at: datetime) -> bool:
    period = part_of(provision, "period")
    start, end = (resources.moment(period.get(name)) for name in ("start", "end"))
    return (start is None or start <= at) and (end is None or at < end)


def _what(provision: Resource) -> frozenset[str]:
    """What it is about codes, classes or data of another kind says nothing of us."""
    named = [(each.get("system"), each.get("code")) for each in each_of(provision, "purpose")]
    if not named:
        narrowed = ("actor", "action", "class", "code", "data", "securityLabel")
        return frozenset() if any(provision.get(name) for name in narrowed) else _ALL
    return frozenset().union(*(_DENIED.get((str(s), str(c)), frozenset()) for s, c in named))
