"""How a generated record becomes one of Northside's: names, times, ranges, the clinic itself."""

import ast
import base64
import re
import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from demo_clinic.choice import Choice
from demo_clinic.staff import CLINIC, MRN_SYSTEM
from demo_clinic.trim import NOT_A_PROBLEM, Resource, code_of

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
# What runs its course in weeks, but that the generator leaves open for ever.
PASSING = re.compile(r"^(Acute|Viral|Sepsis|Streptococcal)")
SHORT_COURSE = re.compile(
    r"Penicillin|amoxicillin|Azithromycin|Clindamycin|doxycycline|Acetaminophen|Ibuprofen"
    r"|diphenhydrAMINE|cefuroxime|nitrofurantoin|ciprofloxacin|phenazopyridine",
    re.IGNORECASE,
)
SCORES = {
    *("55758-7", "70274-6", "75626-2", "72514-3", "44261-6", "75893-8", "91145-3", "91146-1"),
    *("59460-6", "59461-4", "89204-2"),
}
IMAGES = {"79819-9", "79818-1", "87674-8"}
SHARED = {"Organization", "Location", "Practitioner", "PractitionerRole"}
IDS = uuid.UUID("6f0b6a54-5a3f-4d59-9a50-2f3b8f5b1c11")
PREDIABETES, DIABETES = "714628002", "44054006"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
UCUM = "http://unitsofmeasure.org"
# The generator's own table (synthea/resources/reference_ranges.json) knows these tests in serum
# or plasma only; its modules order them in blood. Same intervals, its word: general adult ones.
RANGES: dict[str, tuple[float | None, float | None, str]] = {
    "2339-0": (70.0, 99.0, "mg/dL"),
    "6299-2": (7.0, 20.0, "mg/dL"),
    "2947-0": (135.0, 145.0, "mmol/L"),
    "6298-4": (3.5, 5.1, "mmol/L"),
    "2069-3": (98.0, 107.0, "mmol/L"),
    "20565-8": (22.0, 29.0, "mmol/L"),
    "49765-1": (8.6, 10.3, "mg/dL"),
    "38483-4": (0.59, 1.04, "mg/dL"),
    "14959-1": (None, 30.0, "mg/g"),
}
CREATININE = "38483-4"
CREATININE_OF_MEN = (0.74, 1.35, "mg/dL")


def tidied(choice: Choice, resources: list[Resource]) -> list[Resource]:
    patient = next(r for r in resources if r["resourceType"] == "Patient")
    old_names = {
        word
        for name in patient["name"]
        for word in (*name["given"], name["family"], *name["given"][0].split())
    }
    shift = _to_office_hours(resources)
    moved = [_walked(resource, old_names, choice, shift) for resource in resources]
    for resource in moved:
        _polish(resource, choice)
    _end_prediabetes(moved)
    _end_earlier_prescriptions(moved)
    return _renumbered(_at_northside(moved, choice), choice)


def with_range(observation: Resource, *, is_man: bool = False, is_adult: bool = True) -> None:
    """Adds the range and how the value lies in it, unless the generator did."""
    code = code_of(observation)
    value = observation.get("valueQuantity", {}).get("value")
    if code not in RANGES or "referenceRange" in observation or value is None or not is_adult:
        return
    low, high, unit = CREATININE_OF_MEN if code == CREATININE and is_man else RANGES[code]
    ends = {"low": low, "high": high}
    observation["referenceRange"] = [
        {
            name: {"value": end, "unit": unit, "system": UCUM, "code": unit}
            for name, end in ends.items()
            if end is not None
        }
    ]
    observation["interpretation"] = [interpretation(value, low, high)]


def interpretation(value: float, low: float | None, high: float | None) -> Resource:
    letter = "L" if low is not None and value < low else "N"
    letter = "H" if high is not None and value > high else letter
    display = {"L": "Low", "N": "Normal", "H": "High"}[letter]
    system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    return {"coding": [{"system": system, "code": letter, "display": display}]}


def _to_office_hours(resources: list[Resource]) -> timedelta:
    """The generator keeps most visits at the hour of birth; that hour moves to 14:30 UTC."""
    visits = [r for r in resources if r["resourceType"] == "Encounter"]
    hour = _commonest(visit["period"]["start"][10:] for visit in visits)
    moment = datetime.fromisoformat(f"2026-11-15{hour}")
    shift = moment.replace(hour=14, minute=30, second=0, microsecond=0) - moment
    # Never forward by more than noon's distance, so that nothing passes the reference date.
    return shift - timedelta(days=1) if shift > timedelta(hours=12) else shift


def _walked(value: Any, old_names: set[str], choice: Choice, shift: timedelta) -> Any:
    if isinstance(value, dict):
        return {
            name: _renamed(part, old_names, choice)
            if name == "display" and "reference" in value and isinstance(part, str)
            else _note(part, old_names, choice)
            if name == "data"
            else _walked(part, old_names, choice, shift)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_walked(part, old_names, choice, shift) for part in value]
    if isinstance(value, str) and TIMESTAMP.fullmatch(value):
        return (datetime.fromisoformat(value) + shift).replace(microsecond=0).isoformat()
    return value


def _renamed(text: str, old_names: set[str], choice: Choice) -> str:
    words = "|".join(sorted((re.escape(name) for name in old_names), key=len, reverse=True))
    whole = rf"\b(?:{words})\b(?: (?:{words})\b)+"
    text = re.sub(whole, f"{choice.given} {choice.family}", text)
    return re.sub(rf"\b(?:{words})\b", choice.given, text)


def _note(data: str, old_names: set[str], choice: Choice) -> str:
    text = _renamed(base64.b64decode(data).decode(), old_names, choice)
    text = re.sub(r"(is an? [\w -]*?)(?: (?:non )?hispanic [\w ]+?) (female|male)", r"\1 \2", text)
    if choice.birth_date:
        age = _age(choice.birth_date, text[:10])
        text = re.sub(r"is an? \d+ year-old", f"is a {age} year-old", text)
    text = re.sub(r"Patient has a history of ([^.]*)\.", _history, text)
    text = "\n".join(
        line for line in text.splitlines()
        if not (line.startswith("- ") and NOT_A_PROBLEM.search(_capital(line[2:])))
    )  # fmt: skip
    return base64.b64encode(text.encode()).decode()


def _history(found: re.Match[str]) -> str:
    parts = re.split(r", | and (?=[^,]*$)", found[1])
    kept = [part for part in parts if not NOT_A_PROBLEM.search(_capital(part))]
    return f"Patient has a history of {', '.join(kept)}." if kept else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _age(birth_date: str, day: str) -> int:
    return int(day[:4]) - int(birth_date[:4]) - (day[5:10] < birth_date[5:10])


def _polish(resource: Resource, choice: Choice) -> None:
    kind = resource["resourceType"]
    if kind == "Patient":
        _polish_patient(resource, choice)
    elif kind == "Observation":
        _polish_observation(resource, choice)
    elif kind == "DiagnosticReport" and code_of(resource) in IMAGES:
        resource["category"][0]["coding"][0]["code"] = "IMG"
    elif kind == "Goal":
        resource["description"] = {"text": _goal(resource["description"]["text"])}
    elif kind == "Condition":
        _end_what_passes(resource)
    elif kind == "MedicationRequest":
        name = resource["medicationCodeableConcept"]["coding"][0]["display"]
        if resource["status"] == "active" and resource["authoredOn"] < "2026-10":
            resource["status"] = "completed" if SHORT_COURSE.search(name) else "active"


def _polish_patient(patient: Resource, choice: Choice) -> None:
    title = [] if choice.sex == "m" else ["Ms."]
    name = {"use": "official", "family": choice.family, "given": [choice.given]}
    patient["name"] = [{**name, "prefix": title or ["Mr."]}]
    patient["birthDate"] = choice.birth_date or patient["birthDate"]
    patient["active"] = True
    patient["managingOrganization"] = {"reference": f"Organization/{CLINIC}"}
    for identifier in patient["identifier"]:
        if identifier.get("type", {}).get("coding", [{}])[0].get("code") == "MR":
            identifier |= {"use": "usual", "system": MRN_SYSTEM, "value": choice.mrn}
    for contact in patient["telecom"]:
        if contact["system"] == "email":
            contact["value"] = f"{choice.given}.{choice.family}@example.com".lower()


def _polish_observation(observation: Resource, choice: Choice) -> None:
    code = code_of(observation)
    category = "survey" if code in SCORES else "imaging" if code in IMAGES else None
    if category:
        observation["category"] = [{"coding": [{"system": CATEGORY, "code": category}]}]
    is_adult = choice.ages not in {"3-8", "5-9", "14-17"}
    with_range(observation, is_man=choice.sex == "m", is_adult=is_adult)


def _goal(text: str) -> str:
    """The generator writes its own structure as text; this says it in words."""
    if not text.startswith("{"):
        return text
    goal = ast.literal_eval(text)
    if "text" in goal:
        return str(goal["text"])
    seen = goal["observation"]
    return f"{seen['codes'][0]['display']} {seen['operator']} {seen['value']}"


def _end_what_passes(condition: Resource) -> None:
    display = condition["code"]["coding"][0]["display"]
    status = condition["clinicalStatus"]["coding"][0]
    onset = condition["onsetDateTime"]
    if status["code"] != "active" or not PASSING.search(display) or onset > "2026-10":
        return
    status["code"] = "resolved"
    condition["abatementDateTime"] = (datetime.fromisoformat(onset) + timedelta(14)).isoformat()


def _at_northside(resources: list[Resource], choice: Choice) -> list[Resource]:
    """The practice and the doctor seen most often become Northside and the patient's clinician."""
    visits = [r for r in resources if r["resourceType"] == "Encounter"]
    doctor = _commonest(v["participant"][0]["individual"]["reference"] for v in visits)
    practice = _commonest(v["serviceProvider"]["reference"] for v in visits)
    place = _commonest(v["location"][0]["location"]["reference"] for v in visits)
    new = {
        doctor: f"Practitioner/{choice.team[0]}",
        practice: f"Organization/{CLINIC}",
        place: f"Location/{CLINIC}",
    }
    gone = {link.removeprefix("urn:uuid:") for link in new}
    return [relinked(r, new) for r in resources if r["id"] not in gone]


def _end_prediabetes(resources: list[Resource]) -> None:
    problems = {code_of(r): r for r in resources if r["resourceType"] == "Condition"}
    before, diabetes = problems.get(PREDIABETES), problems.get(DIABETES)
    if before and diabetes and before["clinicalStatus"]["coding"][0]["code"] == "active":
        before["clinicalStatus"]["coding"][0]["code"] = "resolved"
        before["abatementDateTime"] = diabetes["onsetDateTime"]


def _end_earlier_prescriptions(resources: list[Resource]) -> None:
    """The generator leaves every renewal active; the latest one of a drug is the current one."""
    current: dict[str, Resource] = {}
    orders = [r for r in resources if r["resourceType"] == "MedicationRequest"]
    for order in sorted(orders, key=lambda order: order["authoredOn"]):
        drug = order["medicationCodeableConcept"]["coding"][0]["code"]
        if order["status"] == "active":
            if drug in current:
                current[drug]["status"] = "completed"
            current[drug] = order


def _renumbered(resources: list[Resource], choice: Choice) -> list[Resource]:
    """The generator gives the same ids to the n-th person of every run with one seed."""
    new: dict[str, str] = {}
    for resource in resources:
        if resource["resourceType"] not in SHARED:
            new_id = str(uuid.uuid5(IDS, f"{choice.mrn} {resource['id']}"))
            new[f"urn:uuid:{resource['id']}"] = f"urn:uuid:{new_id}"
            resource["id"] = new_id
    return [relinked(resource, new) for resource in resources]


def _commonest(references: Any) -> str:
    return str(Counter(references).most_common(1)[0][0])


def relinked(value: Any, new: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            name: new.get(part, part)
            if name == "reference" and isinstance(part, str)
            else relinked(part, new)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [relinked(part, new) for part in value]
    return value
