"""Names for pages about appointments: asked for when a page is drawn, and kept nowhere."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from polyclinic.foundation.errors import Forbidden, Unavailable
from polyclinic.services.portal.actions.state import Portal, answered
from polyclinic.services.portal.domain import problems
from polyclinic.services.portal.domain.patient import Patient, read_patients
from polyclinic.services.portal.domain.reading import Resource, kept

BATCH = 100


@dataclass(frozen=True)
class People:
    """Who stands behind references, as far as records told."""

    clinicians: dict[str, str] = field(default_factory=dict[str, str])
    patients: dict[str, Patient] = field(default_factory=dict[str, Patient])
    is_missing: bool = False
    since: datetime | None = None

    def clinician(self, reference: str) -> str:
        return self.clinicians.get(reference, "Name not known")

    def patient(self, reference: str) -> str:
        """Keller, M."""
        found = self.patients.get(reference)
        if found is None:
            return "Name not known"
        return f"{found.family}, {found.given[:1]}." if found.given else found.family

    def formal(self, reference: str) -> str:
        found = self.patients.get(reference)
        return found.formal if found else "Name not known"

    @property
    def names(self) -> dict[str, str]:
        return self.clinicians | {key: self.patient(key) for key in self.patients}


async def people(
    portal: Portal, token: str, clinicians: Iterable[str], patients: Iterable[str] = ()
) -> People:
    """Names in one question for each kind; without records times stand without names."""
    wanted = sorted(set(clinicians)), sorted(set(patients))
    try:
        found, known = await asyncio.gather(
            _batch(portal, token, "Practitioner", wanted[0]),
            _batch(portal, token, "Patient", wanted[1]),
        )
    except Unavailable:
        named = {each: _numbered(n, wanted[0]) for n, each in enumerate(wanted[0])}
        return People(named, {}, is_missing=True, since=portal.outages.since("records"))
    named = problems.people_of(found)
    for each in wanted[0]:
        named.setdefault(each, "Clinician")
    patients_ = {f"Patient/{p.id}": p for p in read_patients(kept(known), portal.today())}
    return People(named, patients_)


async def _batch(portal: Portal, token: str, kind: str, references: list[str]) -> list[Resource]:
    ids = [each.partition("/")[2] for each in references]
    batches = [ids[n : n + BATCH] for n in range(0, len(ids), BATCH)]
    try:
        found = await asyncio.gather(
            *(
                answered(
                    portal,
                    "records",
                    portal.records.search(token, kind, (("_id", ",".join(b)),), len(b)),
                )
                for b in batches
            )
        )
    except Forbidden:
        # Not everybody may look people up; a time without a name is still worth showing.
        return []
    return [resource for batch in found for resource in batch]


def _numbered(number: int, of: list[str]) -> str:
    return f"Clinician {number + 1}" if len(of) > 1 else "Your clinician"
