"""Resources as messages of HL7 v2 for others: ADT, SIU and ORU.

What a message cannot say is lost, and only that: tests/services/integration/test_outward.py lists
it. Whatever stands in a text stays in its field.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from polyclinic.services.integration.domain.intents import Resource
from polyclinic.services.integration.domain.mapping import wording
from polyclinic.services.integration.domain.mapping.results_out import put_result
from polyclinic.services.integration.domain.mapping.wording import put, put_concept
from polyclinic.standards.hl7v2 import Header, Message, Segment, new_message

_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_HL7 = "http://hl7.org/fhir/StructureDefinition/patient-"
OWN = "urn:id:POLYCLINIC"  # who gives our own ids
STRUCTURES = {"A04": "ADT_A01", "A08": "ADT_A01", "A28": "ADT_A05", "A31": "ADT_A05"}
_PARTS = {"ATND": "7", "REF": "8", "CON": "9", "ADM": "17"}  # of an encounter, in PV1


@dataclass(frozen=True, slots=True)
class Addressed:
    """To whom: MSH as the caller fills it, and how the receiver calls those who give numbers."""

    header: Header
    names: Mapping[str, str] = field(default_factory=dict[str, str])


def admission(to: Addressed, event: str, patient: Resource, encounter: Resource | None) -> Message:
    """ADT A04, A08, A28 or A31 of a person, and of the visit where there is one."""
    message = new_message("ADT", event, STRUCTURES[event], to.header)
    evn = message.add("EVN")
    put(evn, "1", event)
    put(evn, "2", to.header.at)
    put_patient(message.add("PID"), patient, to)
    pv1 = message.add("PV1")
    put(pv1, "1", "1")
    if encounter is None:
        put(pv1, "2", "N")
    else:
        _put_visit(pv1, encounter, to)
    return message


def scheduling(
    to: Addressed, event: str, appointment: Resource, patient: Resource | None
) -> Message:
    """SIU S12 to S17 or S26; our own id is the filler's number."""
    message = new_message("SIU", event, "SIU_S12", to.header)
    sch = message.add("SCH")
    identifiers = appointment.get("identifier", [])
    if placer := wording.of_kind(identifiers, "PLAC"):
        wording.put_ei(sch, "1", placer, to.names)
    filler = wording.of_kind(identifiers, "FILL") or {"value": appointment.get("id")}
    wording.put_ei(sch, "2", filler, to.names)
    put_concept(sch, "6", appointment.get("cancelationReason"))
    put_concept(sch, "7", next(iter(appointment.get("reasonCode", ())), None))
    put_concept(sch, "8", appointment.get("appointmentType"))
    if minutes := appointment.get("minutesDuration"):
        put(sch, "9", minutes)
        put(sch, "10", "min")
    put(sch, "11.4", wording.moment(appointment.get("start")))
    put(sch, "11.5", wording.moment(appointment.get("end")))
    put(sch, "25", _STATUSES.get(str(appointment.get("status"))))
    _put_notes(message, [str(appointment.get("comment", ""))])
    if patient is not None:
        put_patient(message.add("PID"), patient, to)
    put(message.add("RGS"), "1", "1")
    _put_resources(message, appointment, to)
    return message


_STATUSES = {
    "booked": "Booked", "pending": "Pending", "waitlist": "Waitlist", "fulfilled": "Complete",
    "cancelled": "Cancelled", "noshow": "Noshow", "checked-in": "Started", "arrived": "Started",
    "entered-in-error": "Deleted",
}  # fmt: skip


def results(
    to: Addressed, report: Resource, observations: Sequence[Resource], patient: Resource | None
) -> Message:
    """ORU R01 of a report with its observations, in their order."""
    message = new_message("ORU", "R01", "ORU_R01", to.header)
    if patient is not None:
        put_patient(message.add("PID"), patient, to)
    obr = message.add("OBR")
    put(obr, "1", "1")
    identifiers = report.get("identifier", [])
    if placer := wording.of_kind(identifiers, "PLAC"):
        wording.put_ei(obr, "2", placer, to.names)
    filler = wording.of_kind(identifiers, "FILL") or {"value": report.get("id")}
    wording.put_ei(obr, "3", filler, to.names)
    put_concept(obr, "4", report.get("code"))
    period = report.get("effectivePeriod", {})
    put(obr, "7", wording.moment(report.get("effectiveDateTime") or period.get("start")))
    put(obr, "8", wording.moment(period.get("end")))
    put(obr, "22", wording.moment(report.get("issued")))
    for category in report.get("category", ())[:1]:
        put(obr, "24", _first_code(category))
    put(obr, "25", wording.code("ReportStatus", report.get("status"), "Z"))
    for number, who in enumerate(report.get("resultsInterpreter", ()), 1):
        put(obr, f"32[{number}].1.1", who.get("identifier", {}).get("value"))
        put(obr, f"32[{number}].1.2", who.get("display"))
    _put_notes(message, [str(report.get("conclusion", ""))])
    for number, observation in enumerate(observations, 1):
        obx = message.add("OBX")
        put(obx, "1", number)
        put_result(obx, observation, to.names)
        _put_notes(message, [str(each.get("text", "")) for each in observation.get("note", ())])
    _put_forms(message, report, len(observations))
    return message


def _put_forms(message: Message, report: Resource, before: int) -> None:
    """The report as files; a pointer is not followed."""
    for number, form in enumerate(report.get("presentedForm", ()), before + 1):
        if not form.get("data"):
            continue
        obx = message.add("OBX")
        put(obx, "1", number)
        put(obx, "2", "ED")
        put(obx, "3.1", "REPORT")
        put(obx, "3.2", form.get("title") or "Report")
        kind, _, subtype = str(form.get("contentType", "")).partition(";")[0].partition("/")
        put(obx, "5.2", {"application": "AP", "image": "IM", "text": "TEXT"}.get(kind, "AP"))
        put(obx, "5.3", subtype.upper())
        put(obx, "5.4", "Base64")
        put(obx, "5.5", form["data"])
        put(obx, "11", wording.code("ObservationStatus", report.get("status"), "F"))


def _put_notes(message: Message, texts: Iterable[str]) -> None:
    for number, text in enumerate(filter(None, texts), 1):
        nte = message.add("NTE")
        put(nte, "1", number)
        put(nte, "3", text)


def put_patient(pid: Segment, patient: Resource, to: Addressed) -> None:
    """PID. Our own id stands last: a receiver looks for a number that it knows."""
    put(pid, "1", "1")
    identifiers = [each for each in patient.get("identifier", ()) if each.get("value")]
    if "id" in patient:
        kind = {"coding": [{"code": "PI"}]}
        identifiers.append({"system": OWN, "value": patient["id"], "type": kind})
    for number, each in enumerate(identifiers, 1):
        wording.put_cx(pid, f"3[{number}]", each, to.names)
    for number, each in enumerate(patient.get("name", ()), 1):
        wording.put_name(pid, f"5[{number}]", each)
    extensions = {each["url"]: each for each in patient.get("extension", ()) if "url" in each}
    put(pid, "6.1", extensions.get(f"{_HL7}mothersMaidenName", {}).get("valueString"))
    put(pid, "7", wording.moment(_birth(patient)))
    put(pid, "8", wording.code("Sex", patient.get("gender")))
    _put_category(pid, "10", extensions.get(f"{_US_CORE}race"))
    for number, each in enumerate(patient.get("address", ()), 1):
        wording.put_address(pid, f"11[{number}]", each)
    _put_telecoms(pid, patient.get("telecom", ()))
    for each in patient.get("communication", ())[:1]:
        put_concept(pid, "15", each.get("language"))
    put_concept(pid, "16", patient.get("maritalStatus"), "MaritalStatus")
    put_concept(pid, "17", extensions.get(f"{_HL7}religion", {}).get("valueCodeableConcept"))
    _put_category(pid, "22", extensions.get(f"{_US_CORE}ethnicity"))
    place = extensions.get(f"{_HL7}birthPlace", {}).get("valueAddress", {})
    put(pid, "23", place.get("text") or place.get("city"))
    _put_ends(pid, patient)


def _birth(patient: Resource) -> Any:
    for each in patient.get("_birthDate", {}).get("extension", ()):
        if "valueDateTime" in each:
            return each["valueDateTime"]
    return patient.get("birthDate")


def _put_ends(pid: Segment, patient: Resource) -> None:
    """Birth order and death."""
    if "multipleBirthInteger" in patient:
        put(pid, "24", "Y")
        put(pid, "25", patient["multipleBirthInteger"])
    elif "multipleBirthBoolean" in patient:
        put(pid, "24", "Y" if patient["multipleBirthBoolean"] else "N")
    if "deceasedDateTime" in patient:
        put(pid, "29", wording.moment(patient["deceasedDateTime"]))
        put(pid, "30", "Y")
    elif "deceasedBoolean" in patient:
        put(pid, "30", "Y" if patient["deceasedBoolean"] else "N")


def _put_telecoms(pid: Segment, telecoms: Iterable[Mapping[str, Any]]) -> None:
    """Work in PID-14, all else in PID-13."""
    counts = {"13": 0, "14": 0}
    for each in telecoms:
        where = "14" if each.get("use") == "work" else "13"
        counts[where] += 1
        wording.put_telecom(pid, f"{where}[{counts[where]}]", each)


def _put_category(pid: Segment, path: str, extension: Any) -> None:
    """Race and ethnicity: each category, else the text."""
    parts = extension.get("extension", ()) if isinstance(extension, Mapping) else ()
    codings = [each["valueCoding"] for each in parts if "valueCoding" in each]
    for number, coding in enumerate(codings, 1):
        put(pid, f"{path}[{number}].1", coding.get("code"))
        put(pid, f"{path}[{number}].2", coding.get("display"))
        put(pid, f"{path}[{number}].3", "CDCREC")
    if not codings:
        put(pid, f"{path}.2", next((e.get("valueString") for e in parts if "valueString" in e), ""))


def _put_visit(pv1: Segment, encounter: Resource, to: Addressed) -> None:
    put(pv1, "2", wording.code("EncounterClass", encounter.get("class", {}).get("code"), "U"))
    for each in encounter.get("location", ()):
        where = {"active": "3", "planned": "3", "completed": "6", "reserved": "42"}
        wording.put_place(pv1, where.get(str(each.get("status", "active")), "3"), each["location"])
    put_concept(pv1, "4", next(iter(encounter.get("type", ())), None))
    counts: dict[str, int] = {}
    for each in encounter.get("participant", ()):
        part = next((_first_code(kind) for kind in each.get("type", ())), "")
        number = counts[part] = counts.get(part, 0) + 1
        if part in _PARTS:
            path = f"{_PARTS[part]}[{number}]"
            wording.put_party(pv1, path, each.get("individual"), to.names)
    put_concept(pv1, "10", encounter.get("serviceType"))
    visit = wording.of_kind(encounter.get("identifier"), "VN") or {
        "value": encounter.get("id"), "type": {"coding": [{"code": "VN"}]},
    }  # fmt: skip
    wording.put_cx(pv1, "19", visit, to.names)
    stay = encounter.get("hospitalization", {})
    put_concept(pv1, "14", stay.get("admitSource"))
    put_concept(pv1, "36", stay.get("dischargeDisposition"))
    put(pv1, "44", wording.moment(encounter.get("period", {}).get("start")))
    put(pv1, "45", wording.moment(encounter.get("period", {}).get("end")))


def _first_code(concept: Mapping[str, Any]) -> str:
    return next((str(each.get("code", "")) for each in concept.get("coding", ())), "")


def _put_resources(message: Message, appointment: Resource, to: Addressed) -> None:
    """AIS for the service, AIP and AIL for those who take part."""
    for number, service in enumerate(appointment.get("serviceType", ()), 1):
        ais = message.add("AIS")
        put(ais, "1", number)
        put_concept(ais, "3", service)
        put(ais, "4", wording.moment(appointment.get("start")))
    counts = {"AIP": 0, "AIL": 0}
    for each in appointment.get("participant", ()):
        actor = each.get("actor", {})
        kind = actor.get("type") or str(actor.get("reference", "")).partition("/")[0]
        name = {"Practitioner": "AIP", "Location": "AIL"}.get(kind)
        if name is None or each.get("required") == "information-only":
            continue
        counts[name] += 1
        segment = message.add(name)
        put(segment, "1", counts[name])
        if name == "AIP":
            wording.put_party(segment, "3", actor, to.names)
        else:
            wording.put_place(segment, "3", actor)
        put(segment, "6", wording.moment(appointment.get("start")))
