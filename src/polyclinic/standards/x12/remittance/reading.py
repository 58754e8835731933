"""Remittances are read from 835: whole and balanced to the cent, or refused with every reason."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date

from polyclinic.standards.x12.assembly import Group, Transaction
from polyclinic.standards.x12.elements import need_amount, parts, read_day, readable
from polyclinic.standards.x12.envelope import good_transactions, parse_all, refusals
from polyclinic.standards.x12.loops import (
    first,
    need,
    need_element,
    need_only,
    only,
    refuse_unknown,
    split,
    starts_with,
)
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.remittance.balance import claim_faults, total_fault
from polyclinic.standards.x12.remittance.reading_claim import read_claim
from polyclinic.standards.x12.remittance.values import (
    ClaimPayment,
    ProviderAdjustment,
    Remittance,
)
from polyclinic.standards.x12.tokens import Segment, Separators

GUIDE = "005010X221A1"
_GUIDES = frozenset((GUIDE, "005010X221"))
_HEADER = frozenset(("BPR", "NTE", "TRN", "CUR", "REF", "DTM", "N1", "N3", "N4", "PER", "RDM"))
_METHODS = frozenset(("ACH", "BOP", "CHK", "FWT", "NON"))


@dataclass(frozen=True, slots=True)
class ReadRemittances:
    """The good ones, each whole; and all refusals of the file."""

    remittances: tuple[Remittance, ...]
    refused: tuple[Refused, ...]


def read_remittances(
    data: bytes, payees: Collection[str] | None = None, currency: str = "USD"
) -> ReadRemittances:
    """Refused only where there is no envelope; all else that is wrong stands in `refused`.

    `payees` are the NPIs and tax ids that are ours: a payment to anybody else is refused
    (code PAYEE), and one in another currency (CURRENCY). A transaction with any fault is refused
    whole, so that nothing is half posted.
    """
    good: list[Remittance] = []
    refused: list[Refused] = []
    for interchange in parse_all(data):
        refused.extend(refusals(interchange))
        for group, transaction in good_transactions(interchange):
            reading = _Reading(interchange.separators, group, transaction, currency)
            remittance = reading.remittance(payees)
            if remittance and not reading.refused:
                good.append(remittance)
            refused.extend(reading.refused)
    return ReadRemittances(tuple(good), tuple(refused))


class _Reading:
    """One transaction being read, with all that is found wrong."""

    def __init__(
        self, separators: Separators, group: Group, transaction: Transaction, currency: str
    ) -> None:
        self.refused: list[Refused] = []
        self._currency = currency
        self._separators = separators
        self._group = group
        self._transaction = transaction

    def remittance(self, payees: Collection[str] | None) -> Remittance | None:
        segments = self._transaction.segments
        header, runs = split(segments[1:-1], starts_with("LX", "CLP", "PLB"))
        try:
            self._check_guide(segments[0])
            refuse_unknown(header, _HEADER)
            said = self._header(segments[0], header, payees)
        except Refused as fault:
            self.refused.append(fault)
            return None
        claims: list[ClaimPayment] = []
        provider_adjustments: list[ProviderAdjustment] = []
        for run in runs:
            self._run(run, claims, provider_adjustments)
        if self.refused:
            return None
        payment = need(header, "BPR", after=segments[0])
        fault = total_fault(payment, said.paid, claims, provider_adjustments)
        if fault:
            self.refused.append(fault)
        return _complete(said, claims, provider_adjustments)

    def _check_guide(self, head: Segment) -> None:
        if self._transaction.set_id != "835":
            raise head.refused(1, "IK502-1", "The transaction is no 835.")
        if self._group.version not in _GUIDES:
            text = "The remittance follows another guide than 005010X221A1."
            raise head.refused(3, "IK502-I6", text)

    def _run(
        self,
        run: list[Segment],
        claims: list[ClaimPayment],
        provider_adjustments: list[ProviderAdjustment],
    ) -> None:
        try:
            if run[0].tag == "CLP":
                claim, lines = read_claim(run, self._separators)
                self.refused.extend(claim_faults(run[0], claim, lines))
                claims.append(claim)
            elif run[0].tag == "PLB":
                _refuse_behind(run, frozenset())
                provider_adjustments.extend(_provider_adjustments(run[0], self._separators))
            else:
                _refuse_behind(run, frozenset(("TS2", "TS3")))
        except Refused as fault:
            fault.claim_id = fault.claim_id or (run[0][1][:38] if run[0].tag == "CLP" else "")
            self.refused.append(fault)

    def _header(
        self, start: Segment, header: list[Segment], payees: Collection[str] | None
    ) -> Remittance:
        payment = need_only(header, "BPR", after=start)
        trace = need_only(header, "TRN", after=payment)
        for said in (each for each in header if each.tag == "CUR"):
            if said[2] != self._currency:
                raise said.refused(2, "CURRENCY", "The payment is in another currency.")
        payer = need_only(header, "N1", "PR", after=trace)
        payee = need_only(header, "N1", "PE", after=payer)
        about_payer, about_payee = _parties(header)
        npi, tax_id = _payee_ids(payee, about_payee)
        if payees is not None and not {npi, tax_id} & set(payees):
            raise payee.refused(4, "PAYEE", "The payment is for somebody else.")
        production = only(header, "DTM", "405")
        produced = read_day(production, 2) if production else None
        return Remittance(
            readable(need_element(payer, 2)),
            need_element(trace, 3),
            readable(need_element(payee, 2)),
            need_element(trace, 2),
            _paid(payment),
            _method(payment),
            self._payment_date(payment, produced),
            (),
            (),
            produced,
            npi,
            tax_id,
            _address(about_payer),
            *_contact(about_payer),
            need_element(payment, 1),
            self._transaction.control_number,
            self._group.control_number,
        )

    def _payment_date(self, payment: Segment, produced: date | None) -> date:
        if payment[16]:
            return read_day(payment, 16)
        return produced or read_day(self._group.head, 4)


def _complete(
    said: Remittance,
    claims: list[ClaimPayment],
    provider_adjustments: list[ProviderAdjustment],
) -> Remittance:
    return replace(said, claims=tuple(claims), provider_adjustments=tuple(provider_adjustments))


def _refuse_behind(run: list[Segment], allowed: frozenset[str]) -> None:
    for segment in run[1:]:
        if segment.tag not in allowed:
            raise segment.refused(0, "IK304-7", f"The segment does not belong behind {run[0].tag}.")


def _paid(payment: Segment) -> int:
    amount = need_amount(payment, 2)
    if amount < 0:
        raise payment.refused(2, "IK403-7", "A payment is not negative; a debit says so in BPR03.")
    if payment[3] not in ("C", "D"):
        raise payment.refused(3, "IK403-7", "A payment is a credit (C) or a debit (D).")
    return -amount if payment[3] == "D" else amount


def _method(payment: Segment) -> str:
    if payment[4] not in _METHODS:
        raise payment.refused(4, "IK403-7", "The method is ACH, BOP, CHK, FWT or NON.")
    return payment[4]


def _parties(header: list[Segment]) -> tuple[list[Segment], list[Segment]]:
    """What follows the payer's name, and what follows the payee's."""
    _, runs = split(header, starts_with("N1"))
    about = {run[0][1]: run for run in runs}
    return about.get("PR", []), about.get("PE", [])


def _payee_ids(payee: Segment, about: list[Segment]) -> tuple[str, str]:
    tax = first(about, "REF", "TJ")
    npi = payee[4] if payee[3] == "XX" else ""
    tax_id = payee[4] if payee[3] == "FI" else tax[2] if tax else ""
    if not npi and not tax_id:
        raise payee.refused(4, "IK403-1", "The payee has neither an NPI nor a tax id.")
    return npi, tax_id


def _address(about: list[Segment]) -> tuple[str, str, str, str]:
    street, city = first(about, "N3"), first(about, "N4")
    if street is None or city is None:
        return "", "", "", ""
    return readable(street[1]), readable(city[1]), city[2], city[3]


def _contact(about: list[Segment]) -> tuple[str, str]:
    contact = first(about, "PER", "BL")
    if contact is None:
        return "", ""
    return readable(contact[2]), contact[4] if contact[3] == "TE" else ""


def _provider_adjustments(plb: Segment, separators: Separators) -> list[ProviderAdjustment]:
    provider, year = need_element(plb, 1), read_day(plb, 2)
    need_element(plb, 3)
    found: list[ProviderAdjustment] = []
    for element in range(3, len(plb.elements) + 1, 2):
        if not plb[element] and not plb[element + 1]:
            continue
        reason, *reference = parts(plb, element, separators)
        if not reason:
            raise plb.refused(element, "IK403-1", "The adjustment has no reason.")
        amount = need_amount(plb, element + 1)
        found.append(ProviderAdjustment(provider, year, reason, "".join(reference[:1]), amount))
    return found
