"""Appointments, orders, documents, vaccines, charges and merges."""

import base64

import pytest
from messages_by_hand import VISIT, WHO, Rules, documents, keep, only, texts, translated

from polyclinic.services.integration.domain.intents import (
    Block,
    Book,
    Cancel,
    Charge,
    Merge,
    Miss,
    Move,
    Refused,
    Unmerge,
)
from polyclinic.services.integration.domain.keeping import is_older
from polyclinic.services.integration.domain.overlaying import laid_over

SCH = (
    "SCH|P1^CLINIC|F1^SCHED|||||FOLLOWUP^Follow up^HL70276|CHECKUP^Check-up|30|min"
    "|^^^20260110090000^20260110093000||||||||||||||{}"
)
WITH = (
    "NTE|1||Bring papers",
    WHO,
    "RGS|1",
    "AIS|1||99213^Office visit^CPT|20260110090000||||30|min",
    "AIP|1||77^Weiss^Noor^^^Dr.",
    "AIL|1||3W^301^^WEST",
)


def appointment(event, status="", **how):
    return translated(f"SIU^{event}", SCH.format(status), *WITH, **how).intents[-1]


def test_a_booking_says_who_when_with_whom_and_where():
    made = appointment("S12", "Booked")
    assert isinstance(made, Book)
    visit = made.visit
    assert visit.key == "urn:hl7v2:WEST:SCHED|F1"
    assert [(each.value, each.kind) for each in visit.identifiers] == [
        ("F1", "FILL"),
        ("P1", "PLAC"),
    ]
    assert (visit.start, visit.end, visit.minutes) == (
        "2026-01-10T09:00:00-05:00",
        "2026-01-10T09:30:00-05:00",
        30,
    )
    assert visit.status == "booked"
    assert visit.service == "99213"
    assert visit.reason == "Follow up"
    assert visit.comment == "Bring papers"
    assert visit.practitioners[0].identifiers[0].value == "77"
    assert visit.places[0].display == "WEST, 3W, 301"
    assert made.create_person
    assert made.resource["participant"][0]["actor"] == {"reference": "#Patient"}


@pytest.mark.parametrize(
    ("event", "kind", "status"),
    [
        ("S12", Book, "booked"),
        ("S13", Move, "booked"),
        ("S14", Move, "booked"),
        ("S15", Cancel, "cancelled"),
        ("S16", Cancel, "cancelled"),
        ("S17", Cancel, "entered-in-error"),
        ("S26", Miss, "noshow"),
    ],
)
def test_each_event_is_an_intent(event, kind, status):
    made = appointment(event)
    assert type(made) is kind
    assert made.visit.status == status
    assert made.visit.key == appointment("S12").visit.key


def test_a_modification_may_be_a_cancellation_in_disguise():
    assert isinstance(appointment("S14", "Cancelled"), Cancel)
    assert isinstance(appointment("S14", "Noshow"), Miss)


# ATK-090
def test_an_older_change_of_an_appointment_has_a_lower_rank():
    late, early = appointment("S13", at="20260106"), appointment("S12", at="20260105")
    assert is_older(early.visit.rank, late.visit.rank)


@pytest.mark.parametrize(
    ("line", "minutes"),
    [
        ("SCH|P1|F1||||||CHECKUP|2|h|^^^20260110090000", 120),
        ("SCH|P1|F1||||||CHECKUP|||^^^20260110090000", 30),
        ("SCH|P1|F1||||||CHECKUP|||^^^20260110090000^20260110085000", 30),
    ],
)
def test_every_booking_has_an_end(line, minutes):
    visit = translated("SIU^S12", line, WHO).intents[-1].visit
    assert visit.minutes == minutes
    assert visit.start < visit.end


def test_the_start_may_stand_with_the_resources():
    made = translated(
        "SIU^S12", "SCH|P1|F1", WHO, "RGS|1", "AIS|1||X^Visit|20260110090000|||45|min"
    )
    assert made.intents[-1].visit.minutes == 45


def test_a_cancellation_needs_neither_time_nor_person_but_a_number():
    assert isinstance(translated("SIU^S15", "SCH|P1|F1").intents[-1], Cancel)
    with pytest.raises(Refused):
        translated("SIU^S15", "SCH|||||||X")
    with pytest.raises(Refused):
        translated("SIU^S12", SCH.format(""))


def test_a_blocked_time_is_nobodys_appointment():
    (made,) = translated("SIU^S23", SCH.format("Blocked"), "AIP|1||77^Weiss").intents
    assert isinstance(made, Block)
    assert not made.free
    assert translated("SIU^S24", SCH.format("")).intents[0].free


def order(control, status="", **how):
    orc = f"ORC|{control}|P1^CLINIC||G1^CLINIC|{status}||||20260105090000|||12^Rey^Ivo"
    obr = "OBR|1|P1^CLINIC||57021-8^CBC^LN|S" + "|" * 22 + "^^^20260106080000"
    lines = (WHO, VISIT, orc, obr)
    return translated("ORM^O01", *lines, **how)


@pytest.mark.parametrize(
    ("control", "status", "expected"),
    [
        ("NW", "", "active"),
        ("CA", "", "revoked"),
        ("OC", "", "revoked"),
        ("DC", "", "revoked"),
        ("RP", "", "revoked"),
        ("XO", "", "active"),
        ("SC", "CM", "completed"),
        ("SC", "IP", "active"),
        ("HD", "", "on-hold"),
        ("NW", "IP", "active"),
        ("CA", "A", "revoked"),
        ("ZZ", "", "unknown"),
    ],
)
def test_an_order_stands_as_its_control_says(control, status, expected):
    assert only(order(control, status), "ServiceRequest").resource["status"] == expected


def test_an_order_has_one_key_from_order_to_result():
    made = only(order("NW"), "ServiceRequest")
    assert made.key == "urn:hl7v2:WEST:CLINIC|P1"
    assert made.resource["requester"]["display"] == "Ivo Rey"
    assert made.resource["priority"] == "stat"
    assert made.resource["requisition"]["value"] == "G1"
    assert made.resource["encounter"]["reference"].endswith("V100")


def test_a_late_new_order_does_not_open_an_ended_one():
    ended = only(order("CA", at="20260105"), "ServiceRequest")
    late = only(order("NW", at="20260109"), "ServiceRequest")
    assert is_older(late.rank, ended.rank)


def test_an_order_of_medicine_is_a_medication_request():
    made = only(
        translated(
            "ORM^O01", WHO, "ORC|NW|P7^CLINIC", "RXO|197361^Amlodipine 5 mg^RXNORM|5||mg|TAB"
        ),
        "MedicationRequest",
    )
    dose = made.resource["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]
    assert dose == {"value": 5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}


def test_a_laboratory_order_brings_its_specimen_and_its_answers():
    made = translated(
        "OML^O21",
        WHO,
        "ORC|NW|P1^CLINIC",
        "OBR|1|P1^CLINIC||57021-8^CBC^LN",
        "OBX|1|NM|8302-2^Height^LN||180|cm|||||F",
        "SPM|1|S1&CLINIC||BLD^Blood",
        "ORC|NW|P2^CLINIC",
        "OBR|2|P2^CLINIC||2345-7^Glucose^LN",
    )
    assert len(documents(made, "ServiceRequest")) == 2
    assert only(made, "Specimen").resource["type"]["text"] == "Blood"
    assert only(made, "Observation").resource["valueQuantity"]["code"] == "cm"


TXA = (
    "TXA|1|PN^Progress note|TX|20260105090000|12^Rey^Ivo|20260105091500||||||D1^CLINIC|{}"
    "|||note.txt|{}||AV||||||Note"
)


def document(event, *lines, parent="", **how):
    return translated(f"MDM^{event}", WHO, VISIT, TXA.format(parent, "AU"), *lines, **how)


def test_a_document_holds_its_lines_as_one_file():
    made = only(
        document("T02", "OBX|1|TX|||one||||||F", "OBX|2|TX|||two||||||F"), "DocumentReference"
    )
    (content,) = made.resource["content"]
    assert base64.b64decode(content["attachment"]["data"]) == b"one\ntwo"
    assert made.resource["docStatus"] == "final"
    assert made.resource["masterIdentifier"]["value"] == "D1"


def test_a_notice_without_content_does_not_empty_a_document():
    full = only(document("T02", "OBX|1|TX|||one||||||F"), "DocumentReference")
    notice = only(document("T03"), "DocumentReference")
    after = laid_over(laid_over(None, full), notice)
    assert after["content"] == full.resource["content"]


def test_an_addendum_appends_and_a_replacement_supersedes():
    added = only(document("T06", "OBX|1|TX|||more||||||F", parent="D0^CLINIC"), "DocumentReference")
    assert added.resource["relatesTo"][0]["code"] == "appends"
    old, new = sorted(
        documents(
            document("T10", "OBX|1|TX|||new||||||F", parent="D0^CLINIC"), "DocumentReference"
        ),
        key=lambda each: each.key,
    )
    assert old.resource["status"] == "superseded"
    assert new.resource["relatesTo"] == [
        {"target": {"reference": f"#DocumentReference/{old.key}"}, "code": "replaces"}
    ]


def test_a_cancelled_document_was_an_error_and_stays_one():
    made = only(document("T11"), "DocumentReference")
    assert made.resource["status"] == "entered-in-error"
    later = only(document("T02", at="20270101"), "DocumentReference")
    assert is_older(later.rank, made.rank)


def vaccine(rest, control="RE"):
    return translated(
        "VXU^V04",
        WHO,
        f"ORC|{control}||I1^CLINIC",
        f"RXA|0|1|20260105|20260105|{rest}",
        "RXR|IM^Intramuscular^HL70162|LA^Left arm^HL70163",
    )


def test_a_vaccine_given_here():
    rest = (
        "207^COVID-19^CVX|0.5|mL^^UCUM||00^New^NIP001|12^Rey^Ivo|||||LOT7|20270101"
        "|MOD^Moderna^MVX|||CP|A"
    )
    made = only(vaccine(rest), "Immunization").resource
    assert made["status"] == "completed"
    assert made["primarySource"] is True
    assert made["doseQuantity"] == {
        "value": 0.5,
        "unit": "mL",
        "system": "http://unitsofmeasure.org",
        "code": "mL",
    }
    assert made["manufacturer"]["identifier"]["value"] == "MOD"
    assert made["lotNumber"] == "LOT7"


def test_a_vaccine_told_of_a_refused_one_and_a_deleted_one():
    told = only(vaccine("08^HepB^CVX|999|||01^Historical^NIP001"), "Immunization").resource
    assert told["primarySource"] is False
    assert "doseQuantity" not in told
    refused = only(
        vaccine("08^HepB^CVX|999||||||||||||00^Parental decision^NIP002||RE"), "Immunization"
    ).resource
    assert refused["status"] == "not-done"
    assert refused["statusReason"]["text"] == "Parental decision"
    gone = only(vaccine("08^HepB^CVX|1" + "|" * 15 + "D"), "Immunization")
    assert gone.resource["status"] == "entered-in-error"


def test_no_vaccine_is_none():
    assert documents(vaccine("998^No vaccine^CVX|999"), "Immunization") == []


FT1 = (
    "FT1|1|{number}||20260105|20260105|{kind}|99213^Visit^CPT|||{units}|{amount}&USD||||||||"
    "J06.9^Cold^I10C|12^Rey^Ivo"
)


def charged(*lines):
    made = translated("DFT^P03", WHO, VISIT, *lines)
    return [each for each in made.intents if isinstance(each, Charge)]


def test_a_charge_is_known_by_its_number():
    (made,) = charged(FT1.format(number="T1", kind="CG", units="2", amount="150.00"))
    assert made.key == "ADT|WEST|T1"
    assert (made.kind, made.units, made.amount, made.currency) == ("CG", "2", "150.00", "USD")
    assert made.code.code == "99213"
    assert made.diagnoses[0].code == "J06.9"
    assert made.visit == "urn:oid:2.999.1.1|V100"
    assert made.day == "2026-01-05"


def test_a_credit_is_a_negative_line_whatever_its_sign():
    for amount in ("150.00", "-150.00"):
        (made,) = charged(FT1.format(number="T2", kind="CD", units="1", amount=amount))
        assert (made.units, made.amount) == ("-1", "-150.00")


def test_payments_and_adjustments_keep_their_sign():
    (paid,) = charged(FT1.format(number="T3", kind="PY", units="", amount="-20.5"))
    assert (paid.kind, paid.amount) == ("PY", "-20.5")
    assert charged(FT1.format(number="T4", kind="AJ", units="", amount="5"))[0].kind == "AJ"


@pytest.mark.parametrize(
    ("number", "kind"), [("", "CG"), ("T1", "??"), ("T1", "")], ids=["number", "kind", "no kind"]
)
def test_a_line_that_could_be_charged_twice_or_means_nothing_is_refused(number, kind):
    with pytest.raises(Refused):
        charged(FT1.format(number=number, kind=kind, units="1", amount="1"))


def test_two_lines_of_one_number_are_refused():
    line = FT1.format(number="T1", kind="CG", units="1", amount="1")
    with pytest.raises(Refused):
        charged(line, line)


def test_an_amount_that_is_none_is_left_out_with_an_error():
    made = translated("DFT^P03", WHO, FT1.format(number="T1", kind="CG", units="1", amount="1e9"))
    assert "FT1-11: That is no amount." in texts(made)


@pytest.mark.parametrize("event", ["A34", "A40", "A18"])
def test_a_merge_has_a_winner_and_a_loser(event):
    (made,) = translated(f"ADT^{event}", WHO, "MRG|4712^^^WEST^MR").intents
    assert isinstance(made, Merge)
    assert made.winner.identifiers[0].value == "4711"
    assert made.loser.identifiers[0].value == "4712"
    assert made.kind == ("A34" if event == "A34" else "A40")


def test_several_merges_in_one_message():
    other = "PID|1||5711^^^WEST^MR||Diaz^Eva"
    made = translated("ADT^A40", WHO, "MRG|4712^^^WEST^MR", other, "MRG|5712^^^WEST^MR").intents
    assert [each.loser.identifiers[0].value for each in made] == ["4712", "5712"]


# ATK-089
@pytest.mark.parametrize(
    "lines",
    [
        (WHO, "MRG|4711^^^WEST^MR"),
        (WHO, "MRG|"),
        (WHO,),
        (WHO, "MRG|4712^^^WEST^MR", "PID|1||4712^^^WEST^MR||X^Y", "MRG|4711^^^WEST^MR"),
    ],
    ids=["into itself", "nobody", "no MRG", "in a circle"],
)
def test_a_merge_that_cannot_be_meant_is_refused(lines):
    with pytest.raises(Refused):
        translated("ADT^A40", *lines)


# ATK-089
def test_the_same_number_of_another_authority_is_another_person():
    (made,) = translated("ADT^A40", WHO, "MRG|4711^^^EAST^MR").intents
    assert made.loser.identifiers[0].system == "urn:hl7v2:WEST:EAST"


def test_an_unlink_parts_two():
    (made,) = translated("ADT^A37", WHO, "PID|1||4712^^^WEST^MR||Okafor^Adah").intents
    assert isinstance(made, Unmerge)
    with pytest.raises(Refused):
        translated("ADT^A37", WHO)


def test_what_comes_with_an_order_belongs_to_the_person_it_names():
    assert keep(order("NW")).person.identifiers[0].value == "4711"
    assert not keep(order("NW", rules=Rules(create_person=False))).create_person


def test_neighbouring_orders_take_nothing_of_each_other():
    made = translated(
        "ORM^O01",
        WHO,
        "ORC|NW|P7^CLINIC",
        "RXO|197361^Amlodipine^RXNORM|5||mg",
        "ORC|NW|P8^CLINIC",
        "TQ1|1||||||20260106||S",
        "OBR|1|P8^CLINIC||57021-8^CBC^LN",
        "ORC|NW|P9^CLINIC",
        "OBR|2|P9^CLINIC||2345-7^Glucose^LN",
    )
    assert only(made, "MedicationRequest").key.endswith("P7")
    first, second = documents(made, "ServiceRequest")
    assert (first.resource["priority"], second.resource.get("priority")) == ("stat", None)


def test_vaccines_without_numbers_do_not_take_the_place_of_each_other():
    lines = ("ORC|RE||I1", "RXA|0|1|20260105||08^HepB^CVX|1", "RXA|0|1|20260105||207^COVID^CVX|1")
    made = documents(translated("VXU^V04", WHO, *lines), "Immunization")
    assert len({each.key for each in made}) == 2


def test_a_message_about_two_persons_is_filed_for_neither():
    obr = "OBR|1||F1|57021-8^CBC^LN" + "|" * 21 + "F"
    with pytest.raises(Refused):
        translated("ORU^R01", WHO, obr, "PID|2||4712^^^WEST^MR||Diaz^Eva", obr.replace("F1", "F2"))
