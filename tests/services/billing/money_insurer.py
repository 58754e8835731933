"""An insurer that pays, cuts, denies and takes back as it likes; it writes correct 835s."""

import itertools
import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from money_model import PAYER, Advice, Claim, account_of, parts

from polyclinic.foundation import clock
from polyclinic.standards.x12.envelope import Envelope, Party
from polyclinic.standards.x12.remittance import (
    Adjustment,
    ClaimPayment,
    Procedure,
    ProviderAdjustment,
    Remittance,
    ServicePayment,
    write_remittances,
)

NAME, X12_ID = "Northside Health Plan", "NHPLAN01"
NPI, TAX_ID = "1234567893", "123456789"
# group, reason, and whose it is then; a denial stays where it is.
SHARES = (
    ("CO", "45", "contractual"),
    ("PR", "3", "patient"),
    ("OA", "23", "adjusted"),
    ("CO", "50", None),
)
_numbers = itertools.count(1)


def decides(claims: Sequence[Claim], percents: Sequence[int], *, back: bool = False) -> Advice:
    """One payment for some claims: each line in the same parts; `back` takes the same back."""
    sign = -1 if back else 1
    payments, moves = list[ClaimPayment](), []
    for claim in claims:
        lines = [_line(claim, each, percents, sign) for each in claim.lines]
        payments.append(_claim(claim, lines, "22" if back else None))
        moves += [move for line in lines for move in _moves(claim, line)]
    return written(payments, moves)


def unknown_claim(amount: int) -> Advice:
    """Money for a claim that nobody here has sent."""
    line = ServicePayment(Procedure("Z1001"), amount, amount, Decimal(1))
    paid = ClaimPayment("NOTOURS00001", "1", amount, amount, lines=(line,))
    return written([paid], [("bank", PAYER, amount, None)])


def kept_back(claims: Sequence[Claim], percents: Sequence[int], amount: int) -> Advice:
    """A payment of which the payer keeps something for another matter (PLB)."""
    whole = decides(claims, percents)
    plb = ProviderAdjustment(NPI, date(clock.today().year, 12, 31), "WO", "OLD1", amount)
    lines = [_claim(c, [_line(c, each, percents, 1) for each in c.lines], None) for c in claims]
    return written(lines, [*whole.moves, ("forwarded/nhp", "bank", amount, None)], (plb,))


def written(
    payments: Sequence[ClaimPayment],
    moves: list[tuple[str, str, int, str | None]],
    plb: tuple[ProviderAdjustment, ...] = (),
) -> Advice:
    paid = sum(each.paid for each in payments) - sum(each.amount for each in plb)
    remittance = Remittance(
        NAME, X12_ID, "Northside Clinic", uuid.uuid4().hex[:12].upper(), paid,
        "CHK" if paid else "NON", clock.today(), tuple(payments), provider_adjustments=plb,
        payee_npi=NPI, payee_tax_id=TAX_ID,
        payer_address=("1 Square", "Springfield", "MA", "011039998"), payer_contact="Services",
    )  # fmt: skip
    number = next(_numbers)
    envelope = Envelope(Party(X12_ID), Party("POLYCLINIC"), clock.now(), number, number)
    return Advice(write_remittances(envelope, [remittance]), moves)


def in_another_envelope(advice: Advice) -> bytes:
    """The same words in other bytes: a test file instead of a real one."""
    other = advice.content.replace(b"*P*:~", b"*T*:~", 1)
    assert other != advice.content
    return other


def broken(advice: Advice) -> bytes:
    """One count too many: such a file is held whole."""
    other = advice.content.replace(b"IEA*1*", b"IEA*2*")
    assert other != advice.content
    return other


def _line(
    claim: Claim, line: tuple[int, str, int], percents: Sequence[int], sign: int
) -> ServicePayment:
    number, _, amount = line
    *taken, paid = parts(amount, percents)
    adjustments = tuple(
        Adjustment(group, reason, sign * part)
        for (group, reason, _), part in zip(SHARES, taken, strict=True)
        if part
    )
    return ServicePayment(
        Procedure("Z1001"), sign * amount, sign * paid, Decimal(1),
        control_number=f"{claim.number}-{number}", adjustments=adjustments,
    )  # fmt: skip


def _claim(claim: Claim, lines: Sequence[ServicePayment], status: str | None) -> ClaimPayment:
    paid = sum(each.paid for each in lines)
    share = sum(a.amount for each in lines for a in each.adjustments if a.group == "PR")
    return ClaimPayment(
        claim.number, status or ("1" if paid or share else "4"), sum(x.charge for x in lines),
        paid, share, payer_control_number=f"P{claim.number}", lines=tuple(lines),
        patient_last_name="Keller", patient_first_name="Maria", member_id="M1234567",
    )  # fmt: skip


def _moves(claim: Claim, line: ServicePayment) -> list[tuple[str, str, int, str | None]]:
    """What the line means for the books."""
    found = [("bank", PAYER, line.paid, claim.id)]
    for each in line.adjustments:
        kind = next(
            to for group, reason, to in SHARES if (group, reason) == (each.group, each.reason)
        )
        if kind is not None:
            to = account_of(claim.patient) if kind == "patient" else kind
            found.append((to, PAYER, each.amount, claim.id))
    return found
