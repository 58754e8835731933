"""An insurer that says what a test wants, in real 835 files."""

import itertools
from collections.abc import Sequence

from billing_door import Door
from claims_world import RULES, Coded, claim

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

_traces = itertools.count(70_000)
Told = tuple[str, str, int]  # group, reason, amount


def service(number: str, line: int, charge: int, paid: int, *told: Told) -> ServicePayment:
    """A line of ours as decided; the caller says what it comes to."""
    return ServicePayment(
        Procedure("Z1001"), charge, paid, control_number=f"{number}-{line}",
        adjustments=tuple(Adjustment(*each) for each in told),
    )  # fmt: skip


def decided(
    number: str,
    status: str,
    lines: Sequence[ServicePayment],
    *told: Told,
    whole: tuple[int, int] = (0, 0),
) -> ClaimPayment:
    """A claim; `told` stands at the claim itself, `whole` is charge and paid without lines."""
    off = sum(amount for _, _, amount in told)
    charge = sum(each.charge for each in lines) if lines else whole[0]
    paid = sum(each.paid for each in lines) - off if lines else whole[1]
    return ClaimPayment(
        number, status, charge, paid, payer_control_number="P1", lines=tuple(lines),
        adjustments=tuple(Adjustment(*each) for each in told),
    )  # fmt: skip


def advice(
    *claims: ClaimPayment, kept_back: Sequence[ProviderAdjustment] = (), trace: str = ""
) -> Remittance:
    paid = sum(each.paid for each in claims) - sum(each.amount for each in kept_back)
    return Remittance(
        RULES.name, RULES.id, "Northside Clinic", trace or f"T{next(_traces)}", paid,
        "CHK" if paid else "NON", clock.now().date(), claims, tuple(kept_back),
        payee_npi="1234567893", payee_tax_id="123456789", payer_address=RULES.address,
        payer_contact=RULES.contact,
    )  # fmt: skip


def file_of(*several: Remittance) -> bytes:
    number = next(_traces)
    envelope = Envelope(Party(RULES.id), Party("POLYCLINIC"), clock.now(), number, number)
    return write_remittances(envelope, several)


async def number_of(door: Door, what: Coded) -> str:
    return (await claim(door, what))["number"]
