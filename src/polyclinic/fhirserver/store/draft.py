"""From a checked resource to a change that can be kept: stamped, indexed, sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from polyclinic.fhirserver.access import Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.index import Indexed, index
from polyclinic.fhirserver.store.keys import Keys
from polyclinic.fhirserver.store.rows import TABLE, Document
from polyclinic.fhirserver.store.write import CREATED, DELETED, Change
from polyclinic.fhirserver.terms import Terms
from polyclinic.foundation.errors import Issue, TooLarge
from polyclinic.foundation.vault import DataKey, Place, Vault
from polyclinic.standards.fhir import codec

RESOURCE_MAX = 1024 * 1024


@dataclass(slots=True)
class Draft:
    """What a caller wants kept: a resource for a place, or None to delete what is there."""

    errand: Errand
    grant: Grant
    type: str
    id: str
    resource: dict[str, Any] | None
    if_match: int | None = None
    check: bool = True  # whether references must lead somewhere
    may_create: bool = True
    denied: tuple[int | None, ...] | None = None  # whose charts it was refused to change
    indexed: Indexed | None = None
    owner: bytes = b""
    key: DataKey | None = None


class TooLargeResource(TooLarge):
    """A resource may be 1 MiB at most; send what is larger as a Binary."""


class Drafting:
    """Prepares drafts: the costly, pure part of a write, done before any row is locked."""

    def __init__(
        self, vault: Vault, keys: Keys, terms: Terms, foreign: frozenset[str] = frozenset()
    ) -> None:
        self._vault, self._keys, self._terms = vault, keys, terms
        self._foreign = foreign

    def index(self, draft: Draft) -> None:
        """Reads all that can be read before the version is known."""
        if draft.resource is None or draft.indexed is not None:
            return
        draft.resource["id"] = draft.id
        draft.indexed = found = index(self._terms, draft.resource)
        # What another service keeps is its own to keep or lose: only our own ends are checked.
        found.references = [each for each in found.references if each[0] not in self._foreign]
        draft.owner = self._keys.owner(draft.type, draft.indexed.patients)

    async def keys(self, drafts: Sequence[Draft]) -> None:
        """Finds the key of each draft; a resource of several patients gets one of its own."""
        single = [d for d in drafts if d.indexed is not None and len(d.indexed.patients) <= 1]
        found = await self._keys.of_owners(draft.owner for draft in single)
        for draft in single:
            draft.key = found[draft.owner]
        for draft in drafts:
            if draft.indexed is not None and len(draft.indexed.patients) > 1:
                draft.key = await self._keys.shared(draft.indexed.patients)

    def change(
        self, draft: Draft, pid: int, version: int, now: datetime, before: Any = None
    ) -> tuple[Change, Document]:
        """The sealed change and the document that the caller gets back."""
        if draft.resource is None:
            return self._deletion(draft, pid, version, now, before)
        assert draft.indexed is not None
        assert draft.key is not None
        body = stamped(draft.resource, version, now)
        if len(body) > RESOURCE_MAX and draft.type != "Binary":
            text = TooLargeResource().message
            where = Issue(text, draft.type, TooLargeResource.code)
            raise TooLargeResource(place=f"{draft.type}/{draft.id}", issues=(where,))
        place = Place(TABLE, draft.type, draft.id, version)
        envelope = self._vault.seal(draft.key, place, body)
        method = CREATED if version == 1 else "U"
        patients = tuple(self._terms.person(f"Patient/{p}") for p in draft.indexed.patients)
        checked = tuple(draft.indexed.references) if draft.check else ()
        change = Change(
            draft.errand, draft.grant, pid, draft.type, draft.id, version, now, method, patients,
            draft.indexed, envelope, checked,
        )  # fmt: skip
        return change, Document(draft.type, draft.id, version, now, body, method, pid)

    def _deletion(
        self, draft: Draft, pid: int, version: int, now: datetime, before: Any
    ) -> tuple[Change, Document]:
        # The row keeps whose it was, so that who may not see it does not learn that it was deleted.
        patients = tuple(p for p in (before["patient"], *(before["others"] or ())) if p is not None)
        nothing = Indexed((), before["labels"], None, [], [], [], [], [])
        change = Change(
            draft.errand, draft.grant, pid, draft.type, draft.id, version, now, DELETED, patients,
            nothing, None, (),
        )  # fmt: skip
        return change, Document(draft.type, draft.id, version, now, None, DELETED, pid)


def stamped(resource: dict[str, Any], version: int, now: datetime) -> bytes:
    """The resource's JSON with the server's own version and time; the caller's are ignored."""
    meta = resource.get("meta")
    resource["meta"] = {
        **(meta if isinstance(meta, dict) else {}),
        "versionId": str(version),
        "lastUpdated": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return codec.encode(resource)
