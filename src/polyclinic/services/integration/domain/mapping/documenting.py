"""Documents of MDM: content out of OBX, and what a document does to its parent."""

from collections.abc import Iterator
from typing import Any

from polyclinic.services.integration.domain.intents import Document, Intent, Keep
from polyclinic.services.integration.domain.mapping import tables
from polyclinic.services.integration.domain.mapping.documents import Making, filled_by, scopes
from polyclinic.services.integration.domain.mapping.kinds.results import TEXTS
from polyclinic.services.integration.domain.mapping.persons import need_person
from polyclinic.services.integration.domain.mapping.reading import Scope
from polyclinic.services.integration.domain.mapping.tables import Trigger
from polyclinic.standards.hl7v2 import Segment

_REPLACING = frozenset({"T09", "T10"})
_WITHOUT_CONTENT = {"contentType": "application/octet-stream", "title": "Content was not sent"}


def document(trigger: Trigger, making: Making) -> tuple[Intent, ...]:
    person = need_person(trigger.person, making)
    for name in trigger.documents:
        making.make(tables.recipes()[name])
    if making.reading.option("orders", "wait") == "create":
        for scope in scopes("COMMON_ORDER", making.reading):
            making.make_at(tables.recipes()["ServiceRequest"], scope)
    for made in list(making.made.values()):
        if made.kind == "DocumentReference":
            _fill_content(made, making)
            _retire_parent(made, making)
    return (Keep(person, tuple(making.made.values())),)


def _fill_content(made: Document, making: Making) -> None:
    """Each file, and all lines of text as one; a document told of without content has none yet."""
    found: list[dict[str, Any]] = []
    for segments in _contents(making):
        scope = Scope(making.reading, tuple(segments), segments[0])
        names = ("OBX[DocumentReference]", "NTE[DocumentReference]")
        found += filled_by(names, scope, made.kind).resource.get("content", [])
    if found:
        made.resource["content"] = found
        made.defaults.pop("content", None)
    elif "content" not in made.defaults:
        made.defaults["content"] = [{"attachment": dict(_WITHOUT_CONTENT)}]


def _contents(making: Making) -> Iterator[list[Segment]]:
    lines: list[Segment] = []
    for segment in making.reading.message.segments("OBX"):
        if (segment.get("2") or "").upper() in TEXTS:
            lines.append(segment)
        else:
            yield [segment]
    if lines:
        yield lines


def _retire_parent(made: Document, making: Making) -> None:
    """T10: what was replaced is superseded, whether or not we know it yet."""
    if making.reading.message.event not in _REPLACING:
        return
    for relation in made.resource.get("relatesTo", []):
        key = relation["target"]["reference"].removeprefix("#DocumentReference/")
        parent = Document(
            "DocumentReference",
            key,
            {"resourceType": "DocumentReference", "status": "superseded"},
            rank=("0", *making.moment),
            defaults={"subject": {"reference": "#Patient"},
                      "content": [{"attachment": dict(_WITHOUT_CONTENT)}]},
        )  # fmt: skip
        making.made[parent.kind, key] = parent
