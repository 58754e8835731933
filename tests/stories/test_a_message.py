"""A hospital's messages become charts, appointments, results and charges, each of them once."""

from datetime import UTC, datetime, timedelta

import pytest
from story_clinic import Clinic
from story_messages import DOCTOR, Hospital
from story_people import token_of
from test_absence import without

from polyclinic.demo import people
from polyclinic.foundation import clock

PASSWORD = "a-quiet-afternoon"


def at(minute: int) -> str:
    """When the hospital said something."""
    return f"20261101{10 + minute // 60:02}{minute % 60:02}00+0000"


class Stay:
    """One patient of the hospital and what its messages say of them."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic, self.hospital = clinic, Hospital(clinic)
        mark = self.hospital.mark
        self.number, self.visit = f"A{mark}", f"V{mark}"
        # Nobody else in the house has such a name, whoever else tells this story.
        self.family = "".join(chr(ord("a") + int(c, 16)) for c in mark).title()
        system = self.hospital.system
        known = {"kind": "practitioner", "system": "urn:oid:2.999.5.1", "value": "D1",
                 "target": people.ANA_RUIZ}  # fmt: skip
        assert system.put("/integration/directory", json=known).is_success

    def pid(self, number: str = "", given: str = "Ada", born: str = "19840312") -> str:
        number = number or self.number
        return f"PID|1||{number}^^^WEST^MR||{self.family}^{given}||{born}|F"

    def pv1(self) -> str:
        return f"PV1|1|O|3W^301^A^WEST||||{DOCTOR}|||MED|||||||||{self.visit}^^^WEST^VN"

    def admission(self) -> bytes:
        return self.hospital.raw("ADT^A04", self.pid(), self.pv1(), at=at(0))

    def booking(self, start: datetime) -> bytes:
        begins, ends = (f"{t:%Y%m%d%H%M%S}+0000" for t in (start, start + timedelta(minutes=20)))
        sch = f"SCH|P{self.visit}^HIS|F{self.visit}^SCHED|||||ROUTINE^Routine||20|min|"
        sch += f"^^20^{begins}^{ends}" + 14 * "|" + "Booked"
        doctor = f"AIP|1||{DOCTOR}|ADM|||{begins}|||20|min"
        return self.hospital.raw("SIU^S12", sch, self.pid(), "RGS|1", doctor, at=at(1))

    def result(self) -> bytes:
        order = (
            f"OBR|1||F{self.visit}^LAB|2823-3^Potassium^LN|||{at(2)}" + 15 * "|" + f"{at(3)}|||F"
        )
        value = f"OBX|1|NM|2823-3^Potassium^LN||4.1|mmol/L^mmol/L^UCUM|3.5-5.1||||F|||{at(2)}"
        raw = self.hospital.raw
        return raw("ORU^R01", self.pid(), order, value, at=at(3), application="LAB")

    def charge(self) -> bytes:
        line = f"FT1|1|T{self.visit}||20261120||CG|Z1002^Visit^L|||1|190.00"
        line += 8 * "|" + f"E11.9^Diabetes^I10|{DOCTOR}"
        return self.hospital.raw("DFT^P03", self.pid(), self.pv1(), line, at=at(4))


def an_opening(stay: Stay) -> datetime:
    """Late enough to be in nobody else's way."""
    first = clock.today() + timedelta(days=14)
    answer = stay.hospital.system.get(
        "/appointments/openings",
        params={"visit_type": "follow-up", "from": f"{first}T00:00:00Z", "days": 7,
                "practitioner": people.ANA_RUIZ},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return datetime.fromisoformat(answer.json()["openings"][-1]["start"]).astimezone(UTC)


def the_patient_reads_their_result(stay: Stay, patient: str) -> None:
    user = f"stay-{stay.hospital.mark.lower()}"
    account = {"user": user, "password": PASSWORD, "role": "patient", "person": patient,
               "name": "Ada"}  # fmt: skip
    made = stay.clinic.api(stay.clinic.token("system/identity.accounts")).post(
        "/identity/operator/accounts", json={"accounts": [account]}
    )
    assert made.status_code == 200, made.text
    api = stay.clinic.api(token_of(stay.clinic, user, PASSWORD))
    found = api.get("/fhir/Observation", params={"code": "2823-3"})
    assert found.status_code == 200, found.text
    [entry] = found.json()["entry"]
    assert entry["resource"]["valueQuantity"]["value"] == 4.1
    assert entry["resource"]["subject"]["reference"] == patient
    foreign = api.get(f"/fhir/{people.MARIA_KELLER}")
    assert foreign.status_code == 404


def versions(stay: Stay, patient: str) -> dict[str, str]:
    """Everything that the messages made, with its version."""
    kinds = ("Encounter", "Observation", "DiagnosticReport", "Appointment", "ChargeItem")
    kept = [each for kind in kinds for each in stay.hospital.found(f"{kind}?patient={patient}")]
    kept += stay.hospital.found(f"Patient?identifier={stay.number}")
    return {f"{e['resourceType']}/{e['id']}": e["meta"]["versionId"] for e in kept}


def test_a_stay_comes_by_message_and_the_same_messages_again_change_nothing(topology: Clinic):
    stay = Stay(topology)
    hospital = stay.hospital
    sent = [stay.admission(), stay.booking(an_opening(stay)), stay.result(), stay.charge()]
    first, booked, resulted, charged = (hospital.done(each) for each in sent)
    assert {"created Patient", "created Encounter"} <= set(first)
    assert "created Appointment" in booked
    assert {"created Observation", "created DiagnosticReport"} <= set(resulted)
    assert "created ChargeItem" in charged
    [chart] = hospital.found(f"Patient?identifier={stay.number}")
    patient = f"Patient/{chart['id']}"
    assert chart["name"][0]["family"] == stay.family
    [visit] = hospital.found(f"Appointment?patient={patient}")
    assert visit["status"] == "booked"
    [item] = hospital.found(f"ChargeItem?patient={patient}")
    assert item["status"] in ("billable", "billed")
    the_patient_reads_their_result(stay, patient)
    before = versions(stay, patient)
    for each in sent:
        hospital.send(each)
        hospital.rested(each)
    assert versions(stay, patient) == before
    assert {each.partition("/")[0] for each in before} >= {"Patient", "Appointment", "ChargeItem"}


def test_two_numbers_turn_out_to_be_one_person(topology: Clinic):
    stay = Stay(topology)
    hospital, other = stay.hospital, f"B{stay.hospital.mark}"
    hospital.done(hospital.raw("ADT^A04", stay.pid(), at=at(0)))
    twin = stay.pid(other, "Adele", "19840321")
    hospital.done(hospital.raw("ADT^A04", twin, at=at(1)))
    merge = hospital.raw("ADT^A40", stay.pid(), f"MRG|{other}^^^WEST^MR", at=at(2))
    assert hospital.done(merge) == ["updated Patient", "updated Patient"]
    [loser] = hospital.found(f"Patient?identifier={other}")
    [winner] = hospital.found(f"Patient?identifier={stay.number}")
    assert not loser["active"]
    assert {"other": {"reference": f"Patient/{winner['id']}"}, "type": "replaced-by"} in loser[
        "link"
    ]
    hospital.send(merge)
    assert hospital.found(f"Patient?identifier={stay.number}") == [winner]


def test_while_integration_is_stopped_the_others_work_and_it_finds_its_way_back(
    per_service: Clinic,
):
    stay = Stay(per_service)
    hospital, message = stay.hospital, stay.admission()
    pids = {name: each.process.pid for name, each in per_service.programs.items()}
    maria = per_service.signed_in("maria")
    with without(per_service, "integration"):
        assert maria.get("/results").status_code == 200
        assert hospital.system.get("/fhir/Patient?_count=1").status_code == 200
        assert hospital.system.get("/billing/ledger/proof").json()["holds"]
        an_opening(stay)
        for name in pids.keys() - {"integration"}:
            assert per_service.is_ready(name), name
        refused = hospital.system.get("/integration/messages")
        assert refused.status_code == 503
        with pytest.raises(ConnectionError):
            hospital.by_mllp(message)
    assert "created Patient" in hospital.done(message)
    now = {name: each.process.pid for name, each in per_service.programs.items()}
    assert {name for name in pids if now[name] != pids[name]} == {"integration"}


def test_while_records_is_stopped_messages_are_taken_and_carried_out_afterwards(
    per_service: Clinic,
):
    stay = Stay(per_service)
    hospital, message = stay.hospital, stay.admission()
    with without(per_service, "records"):
        hospital.send(message)
    found = hospital.rested(message, 60)
    assert found["state"] == "done", found
