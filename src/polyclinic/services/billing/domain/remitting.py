"""What an 835 means for the ledger: line by line, to the cent.

Per service: what was paid goes to the bank, what a contract takes off to `contractual`, what is
the patient's to the patient. A denial is not written off by itself: it stays with the payer and
waits for a person (appeal, correct, bill the patient, or give up).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from polyclinic.services.billing.domain.claims import ACCEPTED, after, line_of, may
from polyclinic.services.billing.domain.ledger import (
    ADJUSTED,
    BANK,
    CONTRACTUAL,
    About,
    Line,
    forwarded,
    merged,
    patient_account,
    payer_account,
    transfer,
)
from polyclinic.standards.x12.remittance import (
    Adjustment,
    ClaimPayment,
    ProviderAdjustment,
    ServicePayment,
)

# CARC numbers that follow from the contract, or from how Medicare pays; every other CO is a denial.
CONTRACTUAL_REASONS = frozenset(
    {"24", "42", "44", "45", "59", "94", "97", "137", "144", "237", "253"}
)
# The same claim came twice: the former one stands, and nothing was decided anew.
DUPLICATE_REASON = "18"
DENIED_STATUS = "4"
DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Known:
    """Our claim that a payer names, with the charges of its lines."""

    id: UUID
    number: str
    patient: str
    status: str
    charges: Mapping[int, tuple[UUID, int, str]]  # line → charge, amount, code


@dataclass(frozen=True, slots=True)
class Decided:
    """One line as the payer decided it; `charge` is none when it is no line of ours."""

    charge: UUID | None
    charged: int
    paid: int
    patient_share: int
    denied: int
    denied_code: str
    adjustments: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the payer decided of one claim."""

    claim: Known | None
    lines: tuple[Decided, ...]
    posted: tuple[Line, ...]
    verb: str  # pay, deny, reverse, or DUPLICATE
    payer_number: str = ""  # CLP07

    @property
    def paid(self) -> int:
        return sum(line.paid for line in self.lines)

    @property
    def denied(self) -> int:
        return sum(line.denied for line in self.lines)

    @property
    def denied_code(self) -> str:
        return next((line.denied_code for line in self.lines if line.denied_code), "")

    @property
    def patient_share(self) -> int:
        return sum(line.patient_share for line in self.lines)


@dataclass(slots=True)
class Course:
    """What all the decisions of one file come to for one claim."""

    status: str
    paid: int = 0
    payer_number: str = ""
    denied: int = 0
    code: str = ""
    is_denied: bool = False
    is_unexpected: bool = False
    is_duplicate: bool = False

    def take(self, decision: Decision) -> None:
        """A claim that comes twice ends where the last decision says."""
        self.paid += decision.paid
        self.payer_number = decision.payer_number or self.payer_number
        self.is_duplicate = decision.verb == DUPLICATE
        if self.is_duplicate:
            return
        self.is_unexpected |= not may(decision.verb, self.status)
        if may(decision.verb, self.status):
            self.status = after(decision.verb, self.status)
        self.denied += decision.denied
        self.code = decision.denied_code or self.code
        if decision.verb == "deny" and not decision.denied:
            self.denied, self.code = decision.patient_share, _first_code(decision)
        self.is_denied = self.denied > 0 or decision.verb == "deny"

    def waits(self, left: int) -> list[tuple[str, int, str]]:
        """(queue, amount, code) of what a person must see; `left` is open with the payer."""
        found: list[tuple[str, int, str]] = []
        if left < 0:
            found.append(("held", -left, "overpaid"))
        elif self.is_unexpected:
            found.append(("held", self.paid, "unexpected"))
        elif self.is_duplicate and left > 0:
            found.append(("held", left, DUPLICATE))
        if self.is_denied:
            found.append(("denied", self.denied, self.code))
        return found

    def is_settled(self, left: int) -> bool:
        """Nothing of a former denial waits any more."""
        return not self.is_denied and (left <= 0 or self.status == ACCEPTED)


def _first_code(decision: Decision) -> str:
    said = (each for line in decision.lines for each in line.adjustments)
    return next((f"{group}-{reason}" for group, reason, _ in said), "")


def decide(payer: str, payment: ClaimPayment, claim: Known | None) -> Decision:
    """The ledger's lines of one claim. A claim that is not ours still brings its money."""
    charges = _matched(payment.lines, claim)
    services = [
        _decided(each.charge, each.paid, each.adjustments, charge)
        for each, charge in zip(payment.lines, charges, strict=True)
    ]
    if payment.adjustments or not payment.lines:
        # What stands at the claim itself is what its lines do not say: without lines all of it.
        charged = payment.charge - sum(line.charge for line in payment.lines)
        paid = payment.paid - sum(line.paid for line in payment.lines)
        services.append(_decided(charged, paid, payment.adjustments, None))
    posted = [line for each in services for line in _posted(payer, each, claim)]
    verb = _verb(payment, services)
    number = payment.payer_control_number
    return Decision(claim, tuple(services), merged(posted), verb, number)


def withheld(payer: str, adjustments: Iterable[ProviderAdjustment]) -> tuple[Line, ...]:
    """PLB: a positive amount lowers the payment; who keeps it back owes it, or is owed it."""
    lines = [
        line
        for each in adjustments
        for line in transfer(forwarded(payer), BANK, each.amount, About(what=f"PLB-{each.reason}"))
    ]
    return merged(lines)


def spread(amount: int, left: Sequence[tuple[UUID | None, int]]) -> list[tuple[UUID | None, int]]:
    """An amount over the charges of which something is left, the first line first.

    What no charge takes, because the claim as a whole was paid less, belongs to none.
    """
    parts = list[tuple[UUID | None, int]]()
    for charge, open_amount in left:
        part = min(amount, open_amount)
        if part > 0:
            parts.append((charge, part))
            amount -= part
    return [*parts, (None, amount)] if amount else parts


def is_denial(group: str, reason: str) -> bool:
    if reason == DUPLICATE_REASON:
        return group != "PR"
    return group == "CO" and reason not in CONTRACTUAL_REASONS


def _decided(
    charged: int, paid: int, adjustments: tuple[Adjustment, ...], charge: UUID | None
) -> Decided:
    told = tuple((each.group, each.reason, each.amount) for each in adjustments)
    denials = [each for each in told if is_denial(each[0], each[1])]
    return Decided(
        charge,
        charged,
        paid,
        sum(amount for group, _, amount in told if group == "PR"),
        sum(amount for _, _, amount in denials),
        f"{denials[0][0]}-{denials[0][1]}" if denials else "",
        told,
    )


def _posted(payer: str, decided: Decided, claim: Known | None) -> list[Line]:
    """Debits and credits of one line; a reversal's amounts are below nothing and run backwards."""
    owing = payer_account(payer)
    patient, number = (claim.patient, claim.id) if claim else (None, None)

    def about(what: str) -> About:
        return About(patient, number, decided.charge, what)

    found = transfer(BANK, owing, decided.paid, about("paid"))
    for group, reason, amount in decided.adjustments:
        what = f"{group}-{reason}"
        if is_denial(group, reason):
            continue
        if group == "PR" and claim is not None:
            found += transfer(patient_account(claim.patient), owing, amount, about(what))
        elif group == "CO":
            found += transfer(CONTRACTUAL, owing, amount, about(what))
        elif group in ("OA", "PI", "CR"):
            found += transfer(ADJUSTED, owing, amount, about(what))
    return found if claim is not None else _money_only(found)


def _money_only(lines: list[Line]) -> list[Line]:
    """Of a claim that is not ours only the money is real: it lies as credit on the payer."""
    return [line for line in lines if line.what == "paid"]


def _verb(payment: ClaimPayment, lines: list[Decided]) -> str:
    if payment.is_reversal:
        return "reverse"
    reasons = {reason for line in lines for _, reason, _ in line.adjustments}
    if reasons == {DUPLICATE_REASON} and not payment.paid:
        return DUPLICATE
    denied = sum(line.denied for line in lines)
    if payment.status == DENIED_STATUS or (denied and not sum(line.paid for line in lines)):
        return "deny"
    return "pay"


def _matched(lines: Iterable[ServicePayment], claim: Known | None) -> list[UUID | None]:
    """Our charge of each line: by its control number, else by code and amount.

    Payers leave out control numbers and modifiers; a code that stands twice is told apart by its
    amount, and each charge is given once.
    """
    if claim is None:
        return [None for _ in lines]
    left = dict(claim.charges)
    found: list[UUID | None] = []
    for line in lines:
        number = line_of(line.control_number, claim.number) if line.control_number else None
        if number not in left:
            number = _alike(line, left)
        found.append(left.pop(number)[0] if number is not None and number in left else None)
    return found


def _alike(line: ServicePayment, left: Mapping[int, tuple[UUID, int, str]]) -> int | None:
    same = [n for n, (_, _, code) in left.items() if code == line.claimed.code]
    exact = [n for n in same if left[n][1] == abs(line.charge)]
    return next(iter(exact or same), None)
