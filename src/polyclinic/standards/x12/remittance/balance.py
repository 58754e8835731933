"""The sums of a remittance: lines make the claim, claims and the rest make the payment."""

from collections.abc import Iterable, Iterator, Sequence

from polyclinic.standards.x12.adjustments import Adjustment
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.remittance.values import ClaimPayment, ProviderAdjustment
from polyclinic.standards.x12.tokens import Segment


def total_fault(
    payment: Segment,
    paid: int,
    claims: Iterable[ClaimPayment],
    provider_adjustments: Iterable[ProviderAdjustment],
) -> Refused | None:
    """BPR02 is what the claims were paid less what PLB keeps back."""
    due = sum(claim.paid for claim in claims) - sum(each.amount for each in provider_adjustments)
    if paid == due:
        return None
    text = f"The payment is {_money(paid)}, its claims and adjustments make {_money(due)}."
    return payment.refused(2, "BAL-BPR02", text)


def claim_faults(head: Segment, claim: ClaimPayment, lines: Sequence[Segment]) -> Iterator[Refused]:
    """Of one claim; `head` and `lines` are its CLP and SVC segments, to name the place."""
    taken_off = _sum(claim.adjustments)
    for segment, line in zip(lines, claim.lines, strict=True):
        line_off = _sum(line.adjustments)
        taken_off += line_off
        if line.charge - line_off != line.paid:
            text = f"The line pays {_money(line.paid)}, its charge less its adjustments is "
            text += f"{_money(line.charge - line_off)}."
            yield segment.refused(3, "BAL-SVC03", text, claim.claim_id)
    if claim.lines and claim.charge != (total := sum(line.charge for line in claim.lines)):
        text = f"The claim charges {_money(claim.charge)}, its lines {_money(total)}."
        yield head.refused(3, "BAL-CLP03", text, claim.claim_id)
    if claim.charge - taken_off != claim.paid:
        text = f"The claim pays {_money(claim.paid)}, its charge less all adjustments is "
        text += f"{_money(claim.charge - taken_off)}."
        yield head.refused(4, "BAL-CLP04", text, claim.claim_id)
    if not _has_honest_signs(claim):
        text = "Only a reversal (22) takes money back, and it does nothing else."
        yield head.refused(2, "BAL-CLP02", text, claim.claim_id)


def _has_honest_signs(claim: ClaimPayment) -> bool:
    if claim.is_reversal:
        return claim.charge <= 0 and claim.paid <= 0
    return claim.charge >= 0 and claim.paid >= 0


def _sum(adjustments: Iterable[Adjustment]) -> int:
    return sum(adjustment.amount for adjustment in adjustments)


def _money(minor: int) -> str:
    """For a sentence: a sum may be longer than an element."""
    return f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02d}"
