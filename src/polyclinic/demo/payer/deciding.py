"""What the insurer answers to one file: acknowledgments, returned claims, and a payment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

from polyclinic.demo.payer.rules import Asked, Denial, Return, Rules, fits
from polyclinic.standards.x12.acknowledge import (
    ClaimAnswer,
    ClaimReport,
    ClaimStatus,
    acknowledge,
    write_acknowledgments,
    write_claim_reports,
)
from polyclinic.standards.x12.envelope import Envelope, Party, parse_all
from polyclinic.standards.x12.professional_claim import (
    Claim,
    ClaimBatch,
    ServiceLine,
    read_claims,
)
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.remittance import (
    Adjustment,
    ClaimPayment,
    Procedure,
    Remittance,
    ServicePayment,
    write_remittances,
)

VOID = "8"


@dataclass(frozen=True, slots=True)
class Payer:
    """The insurer at a moment."""

    rules: Rules
    now: datetime

    @property
    def today(self) -> date:
        return self.now.date()


def answers(payer: Payer, content: bytes) -> list[tuple[str, bytes]]:
    """(kind, file) of every answer to a file: 999, 277CA, 835; nothing to what is no X12."""
    try:
        interchange = parse_all(content)[0]
        read = read_claims(content)
    except Refused:
        return []
    found = acknowledge(interchange, read.refused)
    sender = interchange.sender_id
    made = [("999", write_acknowledgments(_envelope(payer, sender, content, 1), found))]
    for batch in read.batches:
        sorted_out = [(claim, _returned(payer, claim)) for claim in batch.claims]
        report = _report(payer, batch, sorted_out)
        made.append(("277CA", write_claim_reports(_envelope(payer, sender, content, 2), [report])))
        taken = [claim for claim, back in sorted_out if back is None and claim.frequency != VOID]
        if taken:
            paid = _remittance(payer, taken, content)
            envelope = _envelope(payer, sender, content, 3)
            made.append(("835", write_remittances(envelope, [paid])))
    return made


def _envelope(payer: Payer, to: str, content: bytes, n: int) -> Envelope:
    """Its number follows from the file answered: the same file is answered by the same bytes."""
    number = int.from_bytes(sha256(content).digest()[:3], "big") * 4 + n
    return Envelope(Party(payer.rules.id), Party(to), payer.now, number, number)


def _returned(payer: Payer, claim: Claim) -> Return | None:
    for rule in payer.rules.returned:
        if any(fits(rule.when, each) for each in _asked(payer, claim)):
            return rule
    return None


def _asked(payer: Payer, claim: Claim) -> Iterator[Asked]:
    for line in claim.lines:
        late = (payer.today - line.service_date).days
        yield Asked(line.code, claim.subscriber.member_id, claim.diagnoses, late)


def _report(
    payer: Payer, batch: ClaimBatch, sorted_out: Sequence[tuple[Claim, Return | None]]
) -> ClaimReport:
    rules = payer.rules
    return ClaimReport(
        rules.name, rules.id, batch.submitter.name, batch.submitter.id,
        f"R{batch.reference[:20]}", batch.reference, payer.today, payer.today,
        tuple(_answer(payer, claim, back) for claim, back in sorted_out),
    )  # fmt: skip


def _answer(payer: Payer, claim: Claim, back: Return | None) -> ClaimAnswer:
    person, provider = claim.patient or claim.subscriber, claim.billing_provider
    status = ClaimStatus(back.category, back.status) if back else ClaimStatus("A2", "20")
    days = [line.service_date for line in claim.lines]
    return ClaimAnswer(
        claim.claim_id, back is None, (status,), claim.total, payer.today, person.last_name,
        person.first_name, claim.subscriber.member_id, min(days), provider.name, provider.npi,
        max(days), "" if back else _own_number(claim), back.message if back else "",
    )  # fmt: skip


def _own_number(claim: Claim) -> str:
    return "P" + sha256(claim.claim_id.encode()).hexdigest()[:10].upper()


def _remittance(payer: Payer, claims: Sequence[Claim], content: bytes) -> Remittance:
    rules, provider = payer.rules, claims[0].billing_provider
    paid = tuple(_paid(payer, claim) for claim in claims)
    return Remittance(
        rules.name, rules.id, provider.name, sha256(content).hexdigest()[:12].upper(),
        sum(each.paid for each in paid), "CHK" if any(each.paid for each in paid) else "NON",
        payer.today, paid, payee_npi=provider.npi, payee_tax_id=provider.tax_id,
        payer_address=rules.address, payer_contact=rules.contact,
    )  # fmt: skip


def _paid(payer: Payer, claim: Claim) -> ClaimPayment:
    lines, copay = list[ServicePayment](), payer.rules.patient.copay
    for line, asked in zip(claim.lines, _asked(payer, claim), strict=True):
        decided, used = _line(payer.rules, line, asked, copay)
        copay -= used
        lines.append(decided)
    paid = sum(line.paid for line in lines)
    share = sum(a.amount for line in lines for a in line.adjustments if a.group == "PR")
    person = claim.patient or claim.subscriber
    is_denied = not paid and not share
    return ClaimPayment(
        claim.claim_id, "4" if is_denied else "1", claim.total, paid, share,
        payer_control_number=_own_number(claim), place_of_service=claim.place_of_service,
        frequency=claim.frequency, patient_last_name=person.last_name,
        patient_first_name=person.first_name, member_id=claim.subscriber.member_id,
        lines=tuple(lines),
    )  # fmt: skip


def _line(rules: Rules, line: ServiceLine, asked: Asked, copay: int) -> tuple[ServicePayment, int]:
    """The line as decided, and how much of the copay it took."""
    denial = next((rule for rule in rules.denied if fits(rule.when, asked)), None)
    if denial is not None:
        return _denied(line, denial), 0
    listed = rules.allowed.get(line.code)
    part = line.charge * rules.default_percent // 100
    allowed = min(line.charge, part if listed is None else int(listed * line.units))
    used = min(copay, allowed)
    coinsurance = (allowed - used) * rules.patient.coinsurance_percent // 100
    told = (("CO", "45", line.charge - allowed), ("PR", "3", used), ("PR", "2", coinsurance))
    adjustments = tuple(Adjustment(*each) for each in told if each[2])
    return _service(line, allowed - used - coinsurance, adjustments), used


def _denied(line: ServiceLine, denial: Denial) -> ServicePayment:
    why = (Adjustment(denial.group, denial.reason, line.charge),)
    return _service(line, 0, why, denial.remarks)


def _service(
    line: ServiceLine,
    paid: int,
    adjustments: tuple[Adjustment, ...],
    remarks: tuple[str, ...] = (),
) -> ServicePayment:
    return ServicePayment(
        Procedure(line.code, line.modifiers), line.charge, paid, line.units,
        service_date=line.service_date, control_number=line.control_number,
        adjustments=adjustments, remarks=remarks,
    )  # fmt: skip
