"""Remittances are written as 835, for a simulated payer: what does not balance is not written."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby

from polyclinic.standards.x12.adjustments import write_adjustments
from polyclinic.standards.x12.elements import (
    clean_text,
    composite,
    may_code,
    need_code,
    need_text,
    segment,
    write_amount,
    write_day,
    write_quantity,
)
from polyclinic.standards.x12.envelope import Envelope, wrap, write
from polyclinic.standards.x12.remittance.reading import GUIDE, read_remittances
from polyclinic.standards.x12.remittance.values import (
    ClaimPayment,
    Procedure,
    ProviderAdjustment,
    Remittance,
    ServicePayment,
)
from polyclinic.standards.x12.tokens import Segment

_PAIRS_MAX = 6  # of a PLB segment
_REMARKS_MAX = 5  # of a MOA segment


def write_remittances(envelope: Envelope, remittances: Sequence[Remittance]) -> bytes:
    """One transaction each. Refused, as a reader would refuse it, when one does not balance."""
    data = write(wrap(envelope, "HP", GUIDE, [list(_body(each)) for each in remittances]))
    for fault in read_remittances(data).refused:
        raise fault
    return data


def _body(remittance: Remittance) -> Iterator[Segment]:
    paid = remittance.paid
    yield segment("ST", "835")
    yield segment(
        "BPR", need_code(remittance.handling, 2, "BPR", 1), write_amount(abs(paid)),
        "D" if paid < 0 else "C", need_code(remittance.method, 3, "BPR", 4), *_bank,
        write_day(remittance.payment_date),
    )  # fmt: skip
    trace = need_code(remittance.trace_number, 50, "TRN", 2)
    yield segment("TRN", "1", trace, need_code(remittance.payer_id, 10, "TRN", 3))
    if remittance.production_date:
        yield segment("DTM", "405", write_day(remittance.production_date))
    yield from _payer(remittance)
    yield from _payee(remittance)
    if remittance.claims:
        yield segment("LX", "1")
    for claim in remittance.claims:
        yield from _claim(claim)
    yield from _provider_adjustments(remittance.provider_adjustments)


_bank = ("",) * 11  # BPR05 to BPR15: accounts, which a file of ours never names


def _payer(remittance: Remittance) -> Iterator[Segment]:
    yield segment("N1", "PR", need_text(remittance.payer_name, 60, "N1", 2))
    line, city, state, zip_code = remittance.payer_address
    if line:
        yield segment("N3", need_text(line, 55, "N3", 1))
        state, zip_code = need_code(state, 2, "N4", 2), need_code(zip_code, 15, "N4", 3)
        yield segment("N4", need_text(city, 30, "N4", 1), state, zip_code)
    if remittance.payer_contact:
        telephone = may_code(remittance.payer_telephone, 256, "PER", 4)
        reach = ("TE", telephone) if telephone else ()
        yield segment("PER", "BL", need_text(remittance.payer_contact, 60, "PER", 2), *reach)


def _payee(remittance: Remittance) -> Iterator[Segment]:
    name, npi, tax_id = remittance.payee_name, remittance.payee_npi, remittance.payee_tax_id
    qualifier, number = ("XX", npi) if npi else ("FI", tax_id)
    cleaned = need_text(name, 60, "N1", 2)
    yield segment("N1", "PE", cleaned, qualifier, need_code(number, 80, "N1", 4))
    if npi and tax_id:
        yield segment("REF", "TJ", need_code(tax_id, 50, "REF", 2))


def _claim(claim: ClaimPayment) -> Iterator[Segment]:
    responsibility = claim.patient_responsibility
    yield segment(
        "CLP", need_code(claim.claim_id, 38, "CLP", 1), need_code(claim.status, 2, "CLP", 2),
        write_amount(claim.charge), write_amount(claim.paid),
        write_amount(responsibility) if responsibility else "",
        may_code(claim.filing_indicator, 2, "CLP", 6),
        may_code(claim.payer_control_number, 50, "CLP", 7),
        may_code(claim.place_of_service, 2, "CLP", 8), may_code(claim.frequency, 1, "CLP", 9),
    )  # fmt: skip
    yield from write_adjustments(claim.adjustments)
    if claim.patient_last_name or claim.member_id:
        last = need_text(claim.patient_last_name, 60, "NM1", 3)
        first = clean_text(claim.patient_first_name, 35)
        who = ("MI", need_code(claim.member_id, 80, "NM1", 9)) if claim.member_id else ()
        yield segment("NM1", "QC", "1", last, first, "", "", "", *who)
    for start in range(0, len(claim.remarks), _REMARKS_MAX):
        codes = [need_code(each, 30, "MOA", 3) for each in claim.remarks[start:][:_REMARKS_MAX]]
        yield segment("MOA", "", "", *codes)
    yield from _days(("232", claim.service_from), ("233", claim.service_to))
    yield from _days(("050", claim.received_on))
    for line in claim.lines:
        yield from _line(line)


def _line(line: ServicePayment) -> Iterator[Segment]:
    yield segment(
        "SVC", _procedure(line.procedure), write_amount(line.charge), write_amount(line.paid), "",
        write_quantity(line.units), _procedure(line.submitted) if line.submitted else "",
        "" if line.submitted_units is None else write_quantity(line.submitted_units),
    )  # fmt: skip
    if line.service_end:
        yield from _days(("150", line.service_date), ("151", line.service_end))
    else:
        yield from _days(("472", line.service_date))
    yield from write_adjustments(line.adjustments)
    if line.control_number:
        yield segment("REF", "6R", need_code(line.control_number, 50, "REF", 2))
    if line.allowed is not None:
        yield segment("AMT", "B6", write_amount(line.allowed))
    for remark in line.remarks:
        yield segment("LQ", "HE", need_code(remark, 30, "LQ", 2))


def _procedure(procedure: Procedure) -> str:
    values = (procedure.qualifier, procedure.code, *procedure.modifiers)
    return composite(*(need_code(value, 48, "SVC", 1) for value in values))


def _days(*days: tuple[str, date | None]) -> Iterator[Segment]:
    for qualifier, day in days:
        if day:
            yield segment("DTM", qualifier, write_day(day))


def _provider_adjustments(several: Iterable[ProviderAdjustment]) -> Iterator[Segment]:
    for (provider, year), members in groupby(
        several, lambda each: (each.provider_id, each.fiscal_year_end)
    ):
        pairs = [(_reason(each), write_amount(each.amount)) for each in members]
        for start in range(0, len(pairs), _PAIRS_MAX):
            flat = [text for pair in pairs[start : start + _PAIRS_MAX] for text in pair]
            yield segment("PLB", need_code(provider, 50, "PLB", 1), write_day(year), *flat)


def _reason(each: ProviderAdjustment) -> str:
    reference = may_code(each.reference, 50, "PLB", 3)
    return composite(need_code(each.reason, 2, "PLB", 3), reference)
