"""Broken files: each fault is named with its segment and place, and answered in its own code."""

import time

import pytest
from x12_samples import NPI, TO_CLINIC, claims_file, recounted, remittance_file

from polyclinic.standards.x12.acknowledge import (
    acknowledge,
    read_acknowledgments,
    write_acknowledgments,
)
from polyclinic.standards.x12.envelope import parse
from polyclinic.standards.x12.professional_claim import read_claims
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.remittance import read_remittances

GOOD = {"837": claims_file(), "835": remittance_file()}
HUGE = b"1" * 19

# ATK-093: counts, control numbers, levels in a circle, absurd amounts, sums, others' money; names
# that hold a separator are in test_professional_claim.py, files with any marks in test_envelope.py.
# The file, what is changed to what, the code that must come of it, the segment it is found at.
MUTATIONS = [
    # Counts
    ("837", b"IEA*1*", b"IEA*2*", "TA105-021", "IEA"),
    ("837", b"IEA*1*", b"IEA*x*", "TA105-021", "IEA"),
    ("837", b"GE*1*", b"GE*2*", "AK905-5", "GE"),
    ("837", b"GE*1*", b"GE**", "AK905-5", "GE"),
    ("837", b"SE*7", b"SE*8", "IK502-4", "SE"),
    ("835", b"SE*3", b"SE*-3", "IK502-4", "SE"),
    ("835", b"SE*3", b"SE*99999999999", "IK502-4", "SE"),
    # Control numbers
    ("837", b"IEA*1*000000001", b"IEA*1*000000002", "TA105-001", "IEA"),
    ("837", b"*^*00501*000000001*", b"*^*00501*00000000A*", "TA105-018", "ISA"),
    ("837", b"GE*1*1~", b"GE*1*2~", "AK905-4", "GE"),
    ("837", b"*1030*1*X*", b"*1030**X*", "AK905-6", "GS"),
    ("837", b"*0001~GE", b"*0002~GE", "IK502-3", "SE"),
    ("837", b"ST*837*0001*", b"ST*837*1*", "IK502-7", "ST"),
    # The interchange's head
    ("837", b"ISA*00*", b"ISA*99*", "TA105-010", "ISA"),
    ("837", b"          *00*          *ZZ", b"          *77*          *ZZ", "TA105-012", "ISA"),
    ("837", b"*ZZ*SUB1 ", b"*QQ*SUB1 ", "TA105-005", "ISA"),
    ("837", b"*ZZ*SUB1           *", b"*ZZ*               *", "TA105-006", "ISA"),
    ("837", b"*ZZ*DP001 ", b"*QQ*DP001 ", "TA105-007", "ISA"),
    ("837", b"*260107*1030*^", b"*269907*1030*^", "TA105-014", "ISA"),
    ("837", b"*260107*1030*^", b"*260107*9930*^", "TA105-015", "ISA"),
    ("837", b"*00501*", b"*00999*", "TA105-017", "ISA"),
    ("837", b"*1*P*:", b"*7*P*:", "TA105-019", "ISA"),
    ("837", b"*1*P*:", b"*1*Q*:", "TA105-020", "ISA"),
    # Segments missing, doubled, astray
    ("837", b"GE*1*1~", b"", "AK905-3", "GS"),
    ("837", b"GE*1*1~", b"GE*1*1~NTE*ADD*X~", "TA105-024", "NTE"),
    ("837", b"ST*837*0001*005010X222A1~", b"", "TA105-024", "BHT"),
    ("837", b"BHT*0019*00*B1*20260107*1030*CH~", b"", "IK304-3", "BHT"),
    ("837", b"REF*EI*123456789~", b"", "IK304-3", "REF"),
    ("837", b"HL*1**20*1~", b"", "IK403-7", "HL"),
    ("837", b"HL*2*1*22*0~", b"HL*2*9*22*0~", "IK403-7", "HL"),
    ("837", b"HL*2*1*22*0~", b"HL*2*2*22*0~", "IK403-7", "HL"),
    ("837", b"HL*1**20*1~", b"HL*1*2*20*1~", "IK403-7", "HL"),
    ("837", b"HI*ABK:E119*ABF:I10~", b"", "IK304-3", "HI"),
    ("837", b"HI*ABK:E119*ABF:I10~", b"HI*ABK:E119*ABF:I10~" * 2, "IK304-5", "HI"),
    ("837", b"SV1*HC:X0002*50*UN*1.5***2~", b"", "IK304-3", "SV1"),
    ("837", b"DTP*472*D8*20260105~", b"DTP*472*D8*20260105~" * 2, "IK304-5", "DTP"),
    ("837", b"LX*1~", b"XYZ*1~LX*1~", "IK304-1", "XYZ"),
    ("837", b"LX*1~", b"lx*1~", "IK304-1", "?"),
    ("835", b"BPR*", b"NTE*", "IK304-3", "BPR"),
    ("835", b"TRN*1*CHECK1*1999999999~", b"", "IK304-3", "TRN"),
    ("835", b"TRN*1*CHECK1*1999999999~", b"TRN*1*CHECK1*1999999999~" * 2, "IK304-5", "TRN"),
    ("835", b"N1*PE*", b"N1*XX*", "IK304-3", "N1"),
    ("835", b"PLB*", b"SVC*HC:D1*1*1~PLB*", "BAL-CLP03", "CLP"),
    ("835", b"LX*1~", b"LX*1~SVC*HC:D1*1*1~", "IK304-7", "SVC"),
    ("835", b"LX*1~", b"LX*1~NM1*QC*1*X~", "IK304-7", "NM1"),
    # Values
    ("837", b"*19800102*", b"*19801302*", "IK403-8", "DMG"),
    ("837", b"CLM*C-1*150.5*", b"CLM**150.5*", "IK403-1", "CLM"),
    ("837", b"CLM*C-1*", b"CLM*" + b"C" * 21 + b"*", "IK403-5", "CLM"),
    ("837", b"CLM*C-1*150.5*", b"CLM*C-1*150.51*", "BAL-CLM02", "CLM"),
    ("837", b"*11:B:1*", b"*11:B:9*", "IK403-7", "CLM"),
    ("837", b"*UN*1***1:2~", b"*UN*1***9~", "IK403-7", "CLM"),
    ("837", b"*UN*1***1:2~", b"*UN*NaN***1~", "IK403-6", "SV1"),
    ("837", b"005010X222A1~BHT", b"005010X223A2~BHT", "IK502-I6", "ST"),
    ("835", b"BPR*I*33*C", b"BPR*I*33*X", "IK403-7", "BPR"),
    ("835", b"BPR*I*33*C", b"BPR*I*-33*C", "IK403-7", "BPR"),
    ("835", b"CLP*C-1*1*", b"CLP*C-1*77*", "IK403-7", "CLP"),
    ("835", b"CAS*CO*29", b"CAS*XX*29", "IK403-7", "CAS"),
    ("835", b"CAS*CO*29*30~", b"CAS*CO*29~", "IK403-1", "CAS"),
    ("835", b"CAS*CO*29*30~", b"CAS*CO*29*30**~".replace(b"**", b"***5"), "IK403-2", "CAS"),
    # Absurd amounts
    ("835", b"BPR*I*33*", b"BPR*I*" + HUGE + b"*", "IK403-5", "BPR"),
    ("835", b"BPR*I*33*", b"BPR*I*33.001*", "IK403-6", "BPR"),
    ("835", b"BPR*I*33*", b"BPR*I*NaN*", "IK403-6", "BPR"),
    ("835", b"BPR*I*33*", b"BPR*I*3.3E1*", "IK403-6", "BPR"),
    ("835", b"BPR*I*33*", b"BPR*I*Infinity*", "IK403-6", "BPR"),
    ("835", b"CAS*CO*29*30~", b"CAS*CO*29*3E1~", "IK403-6", "CAS"),
    ("835", b"*100.5*55.5*", b"*100.5*" + HUGE + b"*", "IK403-5", "SVC"),
    ("837", b"CLM*C-1*150.5*", b"CLM*C-1*" + HUGE + b"*", "IK403-5", "CLM"),
    # Sums
    ("835", b"BPR*I*33*", b"BPR*I*33.01*", "BAL-BPR02", "BPR"),
    ("835", b"*WO:C-9*5*", b"*WO:C-9*5.01*", "BAL-BPR02", "BPR"),
    ("835", b"CAS*CO*29*30~", b"CAS*CO*29*29.99~", "BAL-CLP04", "CLP"),
    ("835", b"CAS*CO*29*30~", b"CAS*CO*29*30~" * 2, "BAL-CLP04", "CLP"),
    ("835", b"*100.5*55.5*", b"*100.5*55.51*", "BAL-SVC03", "SVC"),
    ("835", b"CLP*C-1*1*150.5*95.5*", b"CLP*C-1*1*150.51*95.5*", "BAL-CLP03", "CLP"),
    ("835", b"CLP*C-0*22*-80*-60*", b"CLP*C-0*1*-80*-60*", "BAL-CLP02", "CLP"),
    ("835", b"CLP*C-1*1*", b"CLP*C-1*22*", "BAL-CLP02", "CLP"),
    # Somebody else's money
    ("835", NPI.encode() + b"~REF*TJ*123456789", b"1999999984~REF*TJ*987654321", "PAYEE", "N1"),
]  # fmt: skip


def refused_of(kind, data):
    if kind == "837":
        return read_claims(data).refused
    return read_remittances(data, payees={NPI, "123456789"}).refused


def said(answers):
    """Every code that an answer carries, written as our own."""
    codes = {f"TA105-{each.code}" for each in answers.interchanges}
    for group in answers.groups:
        codes |= {f"AK905-{code}" for code in group.codes}
        for transaction in group.transactions:
            codes |= {f"IK502-{code}" for code in transaction.codes}
            for error in transaction.errors:
                codes.add(f"IK304-{error.code}")
                codes |= {f"IK403-{element.code}" for element in error.elements}
    return codes


@pytest.mark.parametrize(("kind", "old", "new", "code", "tag"), MUTATIONS)
def test_a_broken_file_is_refused_at_its_place_and_answered_in_its_code(kind, old, new, code, tag):
    assert old in GOOD[kind]
    data = GOOD[kind].replace(old, new, 1)
    if code.startswith(("IK304", "IK403", "BAL")):
        data = recounted(data)
    refused = refused_of(kind, data)
    found = next(fault for fault in refused if fault.code == code)
    assert found.segment == tag
    at = data[found.position.offset :]
    assert at.startswith(tag.encode()) or code == "IK304-3" or tag == "?"
    answers = acknowledge(parse(data), refused)
    expected = "IK403-I12" if code.startswith(("BAL", "PAYEE")) else code
    assert expected in said(answers)
    assert said(read_acknowledgments(write_acknowledgments(TO_CLINIC, answers))) == said(answers)
    if kind == "835":
        assert read_remittances(data, payees={NPI}).remittances == ()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "TA105-022"),
        (b"\x00\x01\x02 binary \xff", "TA105-022"),
        (b"%PDF-1.7", "TA105-022"),
        (b"\xef\xbb\xbf" + GOOD["837"], "TA105-022"),
        (GOOD["837"][:50], "TA105-023"),
        (GOOD["837"].replace(b"*", b"|", 1), "TA105-026"),
        (GOOD["837"].replace(b"*", b"A"), "TA105-026"),
        (GOOD["837"].replace(b":~", b"*~", 1), "TA105-026"),
        (GOOD["837"].replace(b":~", b"B~", 1), "TA105-027"),
        (GOOD["837"].replace(b":~", b":Q", 1), "TA105-004"),
        (GOOD["837"].replace(b":~", b"::", 1), "TA105-004"),
        (GOOD["837"].replace(b"*^*", b"*:*", 1), "TA105-024"),
        (GOOD["837"] + b"something behind", "TA105-022"),
    ],
)
def test_what_has_no_envelope_is_refused_as_a_whole(data, code):
    with pytest.raises(Refused) as refusal:
        parse(data)
    assert refusal.value.code == code


@pytest.mark.parametrize("kind", ["837", "835"])
def test_a_file_cut_off_at_any_segment_is_refused_whole(kind):
    pieces = GOOD[kind].split(b"~")[:-1]
    for count in range(1, len(pieces)):
        whole = b"~".join(pieces[:count]) + b"~"
        for data in (whole, whole + pieces[count][:-1]):
            (note,) = acknowledge(parse(data)).interchanges
            assert (note.status, note.code) == ("R", "023"), count
            reader = read_claims if kind == "837" else read_remittances
            result = reader(data)
            assert result.refused
            assert not (result.batches if kind == "837" else result.remittances)


@pytest.mark.parametrize("kind", ["837", "835"])
def test_any_segment_lost_or_doubled_is_noticed_by_the_count(kind):
    pieces = GOOD[kind].split(b"~")[:-1]
    inside = range(3, len(pieces) - 3)
    for place in inside:
        for changed in (
            [*pieces[:place], *pieces[place + 1 :]],
            [*pieces[:place], pieces[place], *pieces[place:]],
        ):
            answers = acknowledge(parse(b"~".join(changed) + b"~"))
            assert "IK502-4" in said(answers)
            assert answers.groups[0].status == "R"


def test_money_lost_or_doubled_in_a_remittance_is_noticed_even_when_the_count_is_mended():
    pieces = GOOD["835"].split(b"~")[:-1]
    money = (b"BPR*", b"CLP*", b"SVC*", b"CAS*", b"PLB*")
    places = [place for place, piece in enumerate(pieces) if piece.startswith(money)]
    assert len(places) == 12
    for place in places:
        for times in (0, 2):
            changed = [*pieces[:place], *[pieces[place]] * times, *pieces[place + 1 :]]
            read = read_remittances(recounted(b"~".join(changed) + b"~"))
            assert read.remittances == ()
            assert read.refused


# ATK-093
def test_a_million_segments_are_refused_at_one_place_and_in_time():
    whole = GOOD["835"].replace(b"SE*", b"PLB*1*20261231*WO:C-9*0~" * 1_000_000 + b"SE*", 1)
    began = time.process_time()
    refused = refused_of("835", whole)
    assert refused
    assert len(refused) < 100, "not a line for each"
    assert time.process_time() - began < 60
