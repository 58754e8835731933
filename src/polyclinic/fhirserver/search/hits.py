"""What a search answers with: opened resources, a page at a time."""

from dataclasses import dataclass
from typing import Any

from polyclinic.fhirserver.search.cursor import Cursor
from polyclinic.fhirserver.store.rows import Document
from polyclinic.standards.fhir import codec


class Hit:
    """A resource that matches, opened; it is read when somebody looks inside."""

    __slots__ = ("_resource", "document", "key", "patients")

    def __init__(
        self,
        document: Document,
        resource: dict[str, Any] | None,
        patients: tuple[int | None, ...],  # all in whose charts it lies
        key: Any,
    ) -> None:
        self.document, self.patients, self.key = document, patients, key
        self._resource = resource

    @property
    def resource(self) -> dict[str, Any]:
        if self._resource is None:
            self._resource = content(self.document)
        return self._resource


@dataclass(frozen=True, slots=True)
class Page:
    """One page of hits, where the next begins, and how many there are in all if asked."""

    hits: list[Hit]
    after: Cursor | None
    total: int | None


def content(document: Document) -> dict[str, Any]:
    """A document's resource; of one that does not open, what its row says."""
    if document.body is not None:
        return codec.decode_kept(document.body)
    updated = document.updated.isoformat()
    meta = {"lastUpdated": updated}
    return {"resourceType": document.type, "id": document.id, "meta": meta}
