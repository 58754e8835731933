"""Resources that the tests of this folder build upon, and Synthea's when they lie beside us."""

import copy
import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyclinic.standards.fhir.codec import decode

SYNTHEA = Path(__file__).parents[4] / "shared/data/synthea"
XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"tag": [{"system": "urn:tags", "code": "t"}], "profile": ["http://example.org/p"]},
    "identifier": [{"system": "urn:mrn", "value": "17", "type": {"text": "MRN"}}],
    "active": True,
    "name": [{"family": "O'Néill", "given": ["Anna", "Maria"], "prefix": ["Dr."]}],
    "telecom": [{"system": "phone", "value": "555"}, {"system": "email", "value": "a@b.c"}],
    "gender": "female",
    "birthDate": "1980-02-29",
    "deceasedDateTime": "2020-05",
    "address": [{"line": ["1 Main St"], "city": "Ulm", "postalCode": "89073"}],
    "generalPractitioner": [{"reference": "Practitioner/d1"}],
    "link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "category": [{"coding": [{"system": "urn:cat", "code": "vital-signs"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "Systolic"},
    "subject": {"reference": "Patient/p1"},
    "performer": [{"reference": "Practitioner/d1"}, {"reference": "Patient/p9"}],
    "effectiveDateTime": "2021-03-04T10:11:12+02:00",
    "valueQuantity": {
        "value": 120,
        "unit": "mm[Hg]",
        "system": "http://unitsofmeasure.org",
        "code": "mm[Hg]",
    },
}
LIBRARY: dict[str, Any] = {
    "resourceType": "Library",
    "url": "http://example.org/l",
    "status": "draft",
    "type": {"text": "logic"},
    "relatedArtifact": [
        {"type": "depends-on", "resource": "http://example.org/a|1"},
        {"type": "successor", "resource": "http://example.org/b"},
    ],
    "useContext": [{"code": {"code": "age"}, "valueQuantity": {"value": 3, "unit": "a"}}],
}
APPOINTMENT: dict[str, Any] = {
    "resourceType": "Appointment",
    "status": "booked",
    "start": "2022-01-01T10:00:00Z",
    "end": "2022-01-01T10:30:00Z",
    "participant": [
        {"actor": {"reference": "Patient/p1"}, "status": "accepted"},
        {"actor": {"reference": "Practitioner/d1"}, "status": "accepted"},
        {"actor": {"reference": "Location/l1"}, "status": "accepted"},
    ],
}
RISK: dict[str, Any] = {
    "resourceType": "RiskAssessment",
    "status": "final",
    "subject": {"reference": "Patient/p1"},
    "occurrencePeriod": {"start": "2020-01-01"},
    "prediction": [{"probabilityRange": {"low": {"value": 1}, "high": {"value": 2}}}],
}
OWN = (PATIENT, OBSERVATION, LIBRARY, APPOINTMENT, RISK)


def changed(resource: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A copy with other properties; those given as None are left out."""
    whole = {**copy.deepcopy(resource), **more}
    return {key: value for key, value in whole.items() if value is not None}


def synthea_bundles(count: int) -> Iterator[dict[str, Any]]:
    """The first bundles of each of Synthea's archives; skips the test without them."""
    if not SYNTHEA.is_dir():
        pytest.skip("Synthea's archives do not lie in ../shared/data/synthea beside the repository")
    for archive in sorted(SYNTHEA.glob("*.t*")):
        with tarfile.open(archive) as files:
            members = (one for one in files if one.name.endswith((".json", ".json.gz")))
            for _, member in zip(range(count), members, strict=False):
                file = files.extractfile(member)
                assert file is not None
                body = file.read()
                yield decode(gzip.decompress(body) if member.name.endswith(".gz") else body)
