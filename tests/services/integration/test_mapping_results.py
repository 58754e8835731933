"""ORU: reports and their observations; what is known never goes back."""

import base64

import pytest
from messages_by_hand import WHO, Rules, documents, keep, only, texts, translated

from polyclinic.services.integration.domain.intents import Refused
from polyclinic.services.integration.domain.keeping import is_older
from polyclinic.services.integration.domain.mapping import attachments
from polyclinic.services.integration.domain.overlaying import laid_over

OBR = (
    "OBR|1|P1^CLINIC|F1^LAB|57021-8^CBC^LN|||20260105090000|||||||||12^Rey^Ivo"
    "||||||20260105100000||HM|{}"
)


def obx(value, kind="NM", status="F", code="718-7^Hemoglobin^LN", unit="g/dL", rest=""):
    return f"OBX|1|{kind}|{code}||{value}|{unit}|12.0-16.0|L|||{status}{rest}"


def result(*lines, status="F", rules=None, **how):
    return translated("ORU^R01", WHO, OBR.format(status), *lines, rules=rules, **how)


def value(line, rules=None):
    return only(result(line, rules=rules), "Observation").resource


# ATK-091
def test_a_report_points_to_its_results_and_waits_for_its_order():
    made = result(obx("11.2"), obx("4.1", code="789-8^Erythrocytes^LN", unit="10*6/uL"))
    report = only(made, "DiagnosticReport")
    assert report.key == "urn:oid:2.999.2|F1|57021-8"
    assert report.resource["status"] == "final"
    assert report.resource["issued"] == "2026-01-05T10:00:00-05:00"
    assert [each["reference"] for each in report.resource["result"]] == [
        f"#Observation/{report.key}|718-7",
        f"#Observation/{report.key}|789-8",
    ]
    (awaited,) = keep(made).awaits
    assert (awaited.kind, awaited.key) == ("ServiceRequest", "urn:hl7v2:WEST:CLINIC|P1")
    assert report.resource["basedOn"] == [{"reference": f"#ServiceRequest/{awaited.key}"}]


# ATK-091
def test_nobody_is_made_of_a_result_unless_the_channel_says_so():
    assert not keep(result(obx("1"))).create_person
    for yes in ("yes", True):
        rules = Rules(mapping={"results_create_person": yes})
        assert keep(result(obx("1"), rules=rules)).create_person


def test_an_order_may_be_named_only_or_made_of_the_result():
    named = result(obx("1"), rules=Rules(mapping={"orders": "keep"}))
    assert keep(named).awaits == ()
    assert only(named, "DiagnosticReport").resource["basedOn"][0]["identifier"]["value"] == "P1"
    made = result(obx("1"), rules=Rules(mapping={"orders": "create"}))
    assert only(made, "ServiceRequest").resource["code"]["coding"][0]["code"] == "57021-8"


def test_a_result_without_a_placers_number_answers_no_order_of_ours():
    made = translated("ORU^R01", WHO, OBR.format("F").replace("P1^CLINIC", ""), obx("1"))
    assert keep(made).awaits == ()
    assert "basedOn" not in only(made, "DiagnosticReport").resource


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("P", "F"),
        ("F", "C"),
        ("C", "C"),
        ("P", "P"),
        ("I", "P"),
        ("F", "D"),
        ("C", "W"),
        ("W", "C"),
    ],
)
def test_results_go_on(before, after):
    one = result(obx("1", status=before), status=before if before != "W" else "C")
    two = result(obx("2", status=after), status=after if after != "W" else "C", at="20260106")
    assert not is_older(only(two, "Observation").rank, only(one, "Observation").rank)


# ATK-090
@pytest.mark.parametrize(
    ("before", "after"), [("F", "P"), ("C", "F"), ("C", "P"), ("F", "X"), ("P", "I"), ("F", "S")]
)
def test_results_never_go_back_however_late_they_come(before, after):
    one = result(obx("1", status=before), status=before)
    two = result(obx("2", status=after), status=after, at="20270101")
    for kind in ("Observation", "DiagnosticReport"):
        assert is_older(only(two, kind).rank, only(one, kind).rank)


def test_of_two_corrections_the_later_one_holds():
    late = only(result(obx("1", status="C"), at="20260107"), "Observation")
    early = only(result(obx("2", status="C"), at="20260106"), "Observation")
    assert is_older(early.rank, late.rank)


@pytest.mark.parametrize(
    ("kind", "sent", "element", "expected"),
    [
        ("NM", "11.20", "valueQuantity", {"value": 11.2, "unit": "g/dL", "code": "g/dL"}),
        ("NM", ">5", "valueQuantity", {"value": 5, "comparator": ">"}),
        ("NM", "-3", "valueQuantity", {"value": -3}),
        ("NM", "high", "valueString", "high"),
        ("SN", ">^200", "valueQuantity", {"value": 200, "comparator": ">"}),
        ("SN", "^200", "valueQuantity", {"value": 200}),
        ("SN", "^1^:^128", "valueRatio", None),
        ("SN", "^10^-^20", "valueRange", None),
        ("SN", "^2^+", "valueString", "2 +"),
        ("ST", "clear", "valueString", "clear"),
        ("TX", "one~two", "valueString", "one\ntwo"),
        ("FT", "one\\.br\\two", "valueString", "one\ntwo"),
        ("CE", "260385009^Negative^SCT", "valueCodeableConcept", None),
        ("CWE", "^only text", "valueCodeableConcept", {"text": "only text"}),
        ("DT", "20260105", "valueDateTime", "2026-01-05"),
        ("TM", "0930", "valueTime", "09:30:00"),
        ("TS", "20260105093000", "valueDateTime", "2026-01-05T09:30:00-05:00"),
        ("DR", "20260105^20260107", "valuePeriod", {"start": "2026-01-05", "end": "2026-01-07"}),
        ("NR", "1^5", "valueRange", None),
        ("XX", "odd^parts", "valueString", "odd parts"),
    ],
)
def test_a_value_is_what_its_type_says_or_a_text(kind, sent, element, expected):
    made = value(obx(sent, kind))
    assert element in made
    if isinstance(expected, dict):
        assert expected.items() <= made[element].items()
    elif expected is not None:
        assert made[element] == expected


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        ("mg/dL", "mg/dL"),
        ("mmHg", "mm[Hg]"),
        ("K/uL", "10*3/uL"),
        ("10*9/L", "10*9/L"),
        ("IU/L", "[IU]/L"),
        ("{score}", "{score}"),
        ("mL/min/{1.73_m2}", "mL/min/{1.73_m2}"),
        ("^mg/dl", "mg/dL"),
        ("stones", None),
        ("x/HPF", None),
        ("mg per day", None),
    ],
)
def test_units_are_ucum_where_they_are_ucum(unit, code):
    found = value(obx("1", unit=unit))["valueQuantity"]
    assert found.get("code") == code
    assert ("system" in found) == (code is not None)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("12.0-16.0", 12.0, 16.0),
        ("<5", None, 5),
        (">= 3.5", 3.5, None),
        ("negative", None, None),
        ("16-12", None, None),
    ],
)
def test_a_reference_range_says_its_bounds_where_it_has_some(text, low, high):
    (found,) = value(obx("1").replace("12.0-16.0", text))["referenceRange"]
    assert found["text"] == text
    assert found.get("low", {}).get("value") == low
    assert found.get("high", {}).get("value") == high


def test_flags_are_ours_or_what_was_sent():
    known = value(obx("1"))["interpretation"][0]["coding"][0]
    assert known["system"].endswith("v3-ObservationInterpretation")
    assert value(obx("1").replace("|L|", "|LOWISH|"))["interpretation"][0]["coding"] == [
        {"code": "LOWISH"}
    ]


def test_neighbouring_lines_of_one_code_are_one_text():
    lines = [f"OBX|{n}|TX|11502-2^Report^LN||line {n}||||||F" for n in (1, 2, 3)]
    assert value("\r".join(lines))["valueString"] == "line 1\nline 2\nline 3"


def test_lines_without_a_code_are_the_reports_own_text():
    lines = [f"OBX|{n}|TX|||line {n}||||||F" for n in (1, 2)]
    made = result(*lines)
    assert documents(made, "Observation") == []
    (form,) = only(made, "DiagnosticReport").resource["presentedForm"]
    assert base64.b64decode(form["data"]) == b"line 1\nline 2"


def test_the_same_code_twice_is_two_results_unless_their_sub_ids_are_the_same_text():
    made = result(obx("1"), obx("2"))
    keys = [each.key.rsplit("|")[-1] for each in documents(made, "Observation")]
    assert keys == ["718-7", "718-7#2"]


def test_a_note_stays_with_its_result_and_one_on_the_report_is_its_conclusion():
    made = result("NTE|1||All well.", obx("1"), "NTE|1||Hemolyzed.")
    assert only(made, "Observation").resource["note"] == [{"text": "Hemolyzed."}]
    assert only(made, "DiagnosticReport").resource["conclusion"] == "All well."


def test_a_result_that_was_not_obtained_has_no_value():
    made = value(obx("never shown", "ST", status="X"))
    assert made["status"] == "cancelled"
    assert "valueString" not in made
    assert made["dataAbsentReason"]["coding"][0]["code"] == "error"


def test_a_corrected_number_takes_the_place_of_a_text():
    text = only(result(obx("pending", "ST", status="P"), status="P"), "Observation")
    number = only(result(obx("5"), at="20260106"), "Observation")
    after = laid_over(laid_over(None, text), number)
    assert "valueString" not in after
    assert after["valueQuantity"]["value"] == 5


def test_a_specimen_comes_from_spm_or_from_an_old_obr():
    made = result(obx("1"), "SPM|1|S1&CLINIC^S2&LAB||BLD^Blood^HL70487|||||||||||||20260105090000")
    specimen = only(made, "Specimen")
    assert specimen.key == "urn:oid:2.999.2|S2"
    assert (
        only(made, "Observation").resource["specimen"]["reference"] == f"#Specimen/{specimen.key}"
    )
    old = OBR.format("F").replace("|||||||||12^", "||||||||BLD&Blood&HL70070|12^")
    assert (
        only(translated("ORU^R01", WHO, old, obx("1")), "Specimen").resource["type"]["text"]
        == "Blood"
    )


def test_a_child_report_points_to_the_result_that_it_explains():
    child = (
        "OBR|2|P1^CLINIC|F2^LAB|29576-6^Susceptibility^LN"
        + "|" * 21
        + "F|600-7&Blood culture&LN^1|||P1&CLINIC^F1&LAB"
    )
    made = result(
        "OBX|1|CE|600-7^Blood culture^LN|1|112283007^E. coli^SCT||||||F",
        child,
        "OBX|1|ST|18864-9^Ampicillin^LN||S||||||F",
    )
    parent, ours = documents(made, "Observation")
    assert ours.resource["derivedFrom"] == [{"reference": f"#Observation/{parent.key}"}]


def test_a_file_in_a_result_is_kept_beside_it():
    pdf = base64.b64encode(b"%PDF-1.7 small").decode()
    made = value(f"OBX|1|ED|18842-5^Summary^LN||LAB^AP^PDF^Base64^{pdf}||||||F")
    attachment = made["extension"][0]["valueAttachment"]
    assert attachment["contentType"] == "application/pdf"
    assert attachment["size"] == 14


# ATK-096
@pytest.mark.parametrize(
    ("data", "remark"),
    [
        ("A" * (attachments.BYTES_MAX * 2), "larger than a document may have"),
        ("no*base64!", "not encoded as it says"),
        ("", "is empty"),
        (base64.b64encode(b"PK\x03\x04 zip bomb").decode(), "does not begin as its type says"),
    ],
)
def test_a_file_that_is_a_bomb_or_a_lie_is_bounded_before_it_is_read(data, remark):
    made = result(f"OBX|1|ED|18842-5^Summary^LN||LAB^AP^PDF^Base64^{data}||||||F")
    assert any(remark in text for text in texts(made))
    attachment = only(made, "Observation").resource["extension"][0]["valueAttachment"]
    assert len(attachment.get("data", "")) < 100


@pytest.mark.parametrize(
    "name",
    [
        "ORU-multiline-short.hl7",
        "ORU-multiline-short-mixed.hl7",
        "sample_unix.hl7",
        "sample_win.hl7",
        "Message.hl7_MDM_T02.txt",
    ],
)
def test_messages_of_others_become_valid_resources(name, samples):
    from messages_by_hand import of_bytes

    assert of_bytes((samples / name).read_bytes()).intents


def test_a_flood_is_refused_and_never_filed_in_part():
    flood = [obx("1", code=f"{number}^x^LN") for number in range(2_100)]
    with pytest.raises(Refused):
        result(*flood)
    many = WHO.replace("4711^^^WEST^MR", "~".join(f"4{n}^^^WEST^MR" for n in range(5_000)))
    made = translated("ORU^R01", many, OBR.format("F"), obx("1"))
    assert any("more repetitions" in text for text in texts(made))
