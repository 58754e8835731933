"""Northside Clinic itself: the organization, its place, the people who work there."""

from demo_clinic.trim import Resource
from polyclinic.demo import people

CLINIC = "northside"
MRN_SYSTEM = "https://northside.example/mrn"
STAFF_SYSTEM = "https://northside.example/staff"
ADDRESS = {
    "line": ["18 Harbour Street"],
    "city": "Boston",
    "state": "MA",
    "postalCode": "02113",
    "country": "US",
}
PHONE = [{"system": "phone", "value": "617-555-0100", "use": "work"}]

# person, given, family, title or qualification, role, specialty
STAFF = (
    (people.ANA_RUIZ, "Ana", "Ruiz", "Dr", "doctor", "Internal medicine"),
    (people.LENA_WONG, "Lena", "Wong", "Dr", "doctor", "Family medicine"),
    (people.SOFIE_MEYER, "Sofie", "Meyer", "Dr", "doctor", "Paediatrics"),
    (people.PRIYA_NAIR, "Priya", "Nair", "", "nurse", "Diabetes care"),
    (people.TOM_BECKER, "Tom", "Becker", "", "Front desk", ""),
    (people.GRACE_OSEI, "Grace", "Osei", "", "Billing", ""),
    (people.SAM_WHITFIELD, "Sam", "Whitfield", "", "Administrator", ""),
)
DISPLAY = {
    person: f"{title} {given} {family}".strip() for person, given, family, title, _, _ in STAFF
}


def clinic() -> list[Resource]:
    organization: Resource = {
        "resourceType": "Organization",
        "id": CLINIC,
        "active": True,
        "type": [{"coding": [_coded("organization-type", "prov", "Healthcare Provider")]}],
        "name": "Northside Clinic",
        "telecom": PHONE,
        "address": [ADDRESS],
    }
    location: Resource = {
        "resourceType": "Location",
        "id": CLINIC,
        "status": "active",
        "name": "Northside Clinic",
        "mode": "instance",
        "telecom": PHONE,
        "address": ADDRESS,
        "managingOrganization": _of("Organization"),
    }
    workers = [part for number, row in enumerate(STAFF, 1) for part in _worker(number, row)]
    return [organization, location, *workers]


def _worker(number: int, row: tuple[str, ...]) -> list[Resource]:
    person, given, family, title, role, specialty = row
    name: Resource = {"use": "official", "family": family, "given": [given]}
    if title:
        name["prefix"] = [title]
    if role == "nurse":
        name["suffix"] = ["RN"]
    key = person.removeprefix("Practitioner/")
    is_coded = role in {"doctor", "nurse"}
    position: Resource = {
        "resourceType": "PractitionerRole",
        "id": key,
        "active": True,
        "practitioner": {"reference": person, "display": DISPLAY[person]},
        "organization": _of("Organization"),
        "code": [{"coding": [_coded("practitioner-role", role, role.capitalize())]}]
        if is_coded
        else [{"text": role}],
        "location": [_of("Location")],
    }
    if specialty:
        position["specialty"] = [{"text": specialty}]
    practitioner: Resource = {
        "resourceType": "Practitioner",
        "id": key,
        "identifier": [{"system": STAFF_SYSTEM, "value": f"N{number:03d}"}],
        "active": True,
        "name": [name],
    }
    return [practitioner, position]


def _of(kind: str) -> Resource:
    return {"reference": f"{kind}/{CLINIC}", "display": "Northside Clinic"}


def _coded(system: str, code: str, display: str) -> Resource:
    url = f"http://terminology.hl7.org/CodeSystem/{system}"
    return {"system": url, "code": code, "display": display}
