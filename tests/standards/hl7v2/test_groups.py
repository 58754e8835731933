"""Segments stand in the groups of their structure, and none is ever left out."""

import random

import pytest
from hl7v2_samples import ADT, ORU, head

from polyclinic.standards.hl7v2 import parse
from polyclinic.standards.hl7v2.groups import _BY_NAME


def tree(group):
    """`NAME(SEG SEG GROUP(…))`, short enough to be read in a failure."""
    inner = [*(segment.name for segment in group.segments), *map(tree, group.groups)]
    return f"{group.name}({' '.join(inner)})"


def message_of(code, event, segments, structure=""):
    kind = b"^".join(part.encode() for part in (code, event, structure) if part)
    raw = head().replace(b"ADT^A08^ADT_A01", kind)
    return parse(raw + "".join(f"{name}|x\r" for name in segments.split()).encode())


def test_results_stand_under_their_order_and_specimens_have_their_own():
    assert tree(parse(ORU).groups()) == (
        "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID VISIT(PV1)) "
        "ORDER_OBSERVATION(ORC OBR NTE OBSERVATION(OBX NTE) OBSERVATION(OBX) SPECIMEN(SPM OBX)) "
        "ORDER_OBSERVATION(OBR OBSERVATION(OBX))))"
    )


def test_an_admission_has_its_procedures_and_insurances():
    assert tree(parse(ADT).groups()) == (
        "ADT_A01(MSH EVN PID NK1 PV1 AL1 DG1 PROCEDURE(PR1) INSURANCE(IN1 IN2) INSURANCE(IN1 ZPI))"
    )


CASES = [
    ("ORU R01", "OBR OBX OBX",
     "PATIENT_RESULT(ORDER_OBSERVATION(OBR OBSERVATION(OBX) OBSERVATION(OBX)))"),
    ("ORU R01", "PID OBR OBX PID OBR OBX",
     "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX))) "
     "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX)))"),
    ("ORU R01", "PID OBR OBX PV1 OBX",
     "PATIENT_RESULT(PATIENT(PID) "
     "ORDER_OBSERVATION(OBR OBSERVATION(OBX PV1) OBSERVATION(OBX)))"),
    ("ORM O01", "PID PV1 IN1 ORC OBR NTE OBX ORC RXO RXR",
     "PATIENT(PID PATIENT_VISIT(PV1) INSURANCE(IN1)) "
     "ORDER(ORC ORDER_DETAIL(OBR NTE OBSERVATION(OBX))) ORDER(ORC ORDER_DETAIL(RXO RXR))"),
    ("ORM O01", "PID ORC OBR OBR",
     "PATIENT(PID) ORDER(ORC ORDER_DETAIL(OBR) ORDER_DETAIL(OBR))"),
    ("OML O21", "PID ORC TQ1 OBR OBX SPM OBX SAC ORC OBR",
     "PATIENT(PID) ORDER(ORC TIMING(TQ1) OBSERVATION_REQUEST(OBR OBSERVATION(OBX) "
     "SPECIMEN(SPM OBX CONTAINER(SAC)))) ORDER(ORC OBSERVATION_REQUEST(OBR))"),
    ("SIU S12", "SCH NTE PID PV1 RGS AIS NTE AIG AIL AIP RGS AIP",
     "PATIENT(PID PV1) RESOURCES(RGS SERVICE(AIS NTE) GENERAL_RESOURCE(AIG) "
     "LOCATION_RESOURCE(AIL) PERSONNEL_RESOURCE(AIP)) RESOURCES(RGS PERSONNEL_RESOURCE(AIP))"),
    ("SIU S13", "SCH PID AIS AIP",
     "PATIENT(PID) RESOURCES(SERVICE(AIS) PERSONNEL_RESOURCE(AIP))"),
    ("VXU V04", "PID PD1 NK1 ORC RXA RXR OBX NTE OBX ORC RXA",
     "ORDER(ORC RXA RXR OBSERVATION(OBX NTE) OBSERVATION(OBX)) ORDER(ORC RXA)"),
    ("VXU V04", "PID RXA RXA", "ORDER(RXA) ORDER(RXA)"),
    ("DFT P03", "PID PV1 FT1 PR1 FT1 DG1 IN1 IN2",
     "FINANCIAL(FT1 FINANCIAL_PROCEDURE(PR1)) FINANCIAL(FT1) INSURANCE(IN1 IN2)"),
    ("MDM T02", "PID PV1 ORC OBR TXA OBX NTE OBX",
     "COMMON_ORDER(ORC OBR) OBSERVATION(OBX NTE) OBSERVATION(OBX)"),
    ("ADT A40", "PID MRG PV1 PID MRG", "PATIENT(PID MRG PV1) PATIENT(PID MRG)"),
    ("ADT A45", "PID MRG PV1 MRG PV1", "MERGE_INFO(MRG PV1) MERGE_INFO(MRG PV1)"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "segments", "expected"), CASES)
def test_each_structure_is_read_from_a_small_table(kind, segments, expected):
    root = message_of(*kind.split(), segments).groups()
    assert " ".join(map(tree, root.groups)) == expected


@pytest.mark.parametrize(
    ("kind", "structure"),
    [
        ("ADT A08", "ADT_A01"), ("ADT A28", "ADT_A05"), ("ADT A34", "ADT_A30"),
        ("ADT A40", "ADT_A39"), ("SIU S26", "SIU_S12"), ("ORU R01", "ORU_R01"),
        ("MDM T04", "MDM_T02"), ("QRY ", "QRY"), ("ZZZ Z01", "ZZZ_Z01"),
    ],
)  # fmt: skip
def test_the_structure_follows_from_the_event_where_the_header_does_not_say(kind, structure):
    assert message_of(*kind.split(" "), "PID").structure == structure


def test_the_structure_is_what_the_header_says_where_it_does():
    assert message_of("ADT", "A08", "PID", "XYZ_Z99").structure == "XYZ_Z99"


def test_whatever_the_order_every_segment_is_in_the_tree_once_and_in_order():
    rng = random.Random(5)
    names = sorted({name for shape in _BY_NAME.values() for name in names_of(shape)} - {"MSH"})
    for structure in [*sorted(_BY_NAME), "ZZZ_Z01"]:
        for _ in range(30):
            segments = " ".join(rng.choices([*names, "NTE", "ZZZ"], k=rng.randrange(40)))
            message = message_of(*structure.split("_"), segments, structure)
            assert message.groups().everything() == list(message.segments())


def names_of(shape):
    own = {*shape.begins, *shape.holds}
    return own.union(*(names_of(inner) for inner in shape.inner))


def test_groups_of_a_name_are_found_at_any_depth():
    root = parse(ORU).groups()
    assert [g.first("OBX").get("1") for g in root.find("OBSERVATION")] == ["1", "2", "1"]
    order = next(root.find("ORDER_OBSERVATION"))
    assert [segment.name for segment in order.own("NTE")] == ["NTE"]
    assert order.first("ZZZ") is None
