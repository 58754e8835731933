"""The people of a claim, read from the levels of provider, subscriber and patient."""

from dataclasses import dataclass

from polyclinic.standards.x12.elements import read_day, readable
from polyclinic.standards.x12.loops import first, need, need_element, split, starts_with
from polyclinic.standards.x12.professional_claim.values import (
    Address,
    BillingProvider,
    OtherPayer,
    Patient,
    Payer,
    RenderingProvider,
    Subscriber,
)
from polyclinic.standards.x12.tokens import Segment


@dataclass(frozen=True, slots=True)
class Treated:
    """Whose claims follow: a subscriber, or a patient below one."""

    subscriber: Subscriber
    payer: Payer
    payer_sequence: str
    patient: Patient | None = None


def read_billing_provider(level: list[Segment]) -> BillingProvider:
    name = _loop(level, "85")
    specialty = first(level, "PRV", "BI")
    tax = need(name, "REF", "EI", "SY", after=name[0])
    return BillingProvider(
        readable(need_element(name[0], 3)),
        name[0][9],
        need_element(tax, 2),
        _need_address(name),
        specialty[3] if specialty else "",
    )


def read_subscriber(level: list[Segment]) -> Treated:
    insurance = need(level, "SBR", after=level[0])
    name, payer = _loop(level, "IL"), _loop(level, "PR")
    born = first(name, "DMG")
    subscriber = Subscriber(
        readable(need_element(name[0], 3)),
        readable(name[0][4]),
        need_element(name[0], 9),
        read_day(born, 2) if born else None,
        born[3] if born else "U",
        _address(name),
        readable(name[0][5]),
        insurance[3],
        insurance[9],
    )
    return Treated(subscriber, read_payer(payer[0]), need_element(insurance, 1))


def read_patient(level: list[Segment], above: Treated) -> Treated:
    relation = need(level, "PAT", after=level[0])
    name = _loop(level, "QC")
    born = need(name, "DMG", after=name[0])
    patient = Patient(
        readable(need_element(name[0], 3)),
        readable(name[0][4]),
        read_day(born, 2),
        need_element(born, 3),
        _need_address(name),
        need_element(relation, 1),
        readable(name[0][5]),
    )
    return Treated(above.subscriber, above.payer, above.payer_sequence, patient)


def read_payer(name: Segment) -> Payer:
    return Payer(readable(need_element(name, 3)), need_element(name, 9))


def read_rendering_provider(segments: list[Segment]) -> RenderingProvider | None:
    _, names = split(segments, starts_with("NM1"))
    for name in names:
        if name[0][1] == "82":
            specialty = first(name, "PRV", "PE")
            return RenderingProvider(
                readable(need_element(name[0], 3)),
                readable(name[0][4]),
                name[0][9],
                specialty[3] if specialty else "",
            )
    return None


def read_other_people(segments: list[Segment], other: Segment) -> OtherPayer:
    """What names and numbers say of another payer; its money is read elsewhere."""
    name, payer = _loop(segments, "IL"), _loop(segments, "PR")
    decided = first(payer, "DTP", "573")
    return OtherPayer(
        read_payer(payer[0]),
        readable(need_element(name[0], 3)),
        readable(name[0][4]),
        need_element(name[0], 9),
        need_element(other, 1),
        need_element(other, 2),
        other[3],
        other[9],
        paid_on=read_day(decided, 3) if decided else None,
    )


def _loop(segments: list[Segment], role: str) -> list[Segment]:
    """The NM1 of that role with all up to the next NM1."""
    _, runs = split(segments, starts_with("NM1"))
    found = [run for run in runs if run[0][1] == role]
    if len(found) > 1:
        raise found[1][0].refused(0, "IK304-4", "The name stands here once too often.")
    return found[0] if found else [need(segments, "NM1", role, after=segments[0])]


def _address(name: list[Segment]) -> Address | None:
    return _need_address(name) if first(name, "N3") and first(name, "N4") else None


def _need_address(name: list[Segment]) -> Address:
    street, city = need(name, "N3", after=name[0]), need(name, "N4", after=name[0])
    texts = (street[1], city[1], city[2], city[3], street[2])
    line, town, state, postal_code, second = map(readable, texts)
    return Address(line, town, state, postal_code, second)
