"""What billing says: ids and amounts only, never what was done."""

from datetime import date

from polyclinic.foundation.events import Event


class VisitCoded(Event, frozen=True, kw_only=True):
    """A visit became charges."""

    visit: str
    patient: str


class ClaimSubmitted(Event, frozen=True, kw_only=True):
    """A claim was written into a file for its payer."""

    claim: str
    patient: str
    payer: str
    amount: int
    currency: str


class ClaimDecided(Event, frozen=True, kw_only=True):
    """A payer decided; `status` is paid or denied."""

    claim: str
    patient: str
    payer: str
    status: str
    paid: int
    patient_share: int
    currency: str


class StatementIssued(Event, frozen=True, kw_only=True):
    """A patient was billed."""

    statement: str
    patient: str
    amount: int
    currency: str
    due: date


class PaymentReceived(Event, frozen=True, kw_only=True):
    """A patient paid."""

    payment: str
    patient: str
    amount: int
    currency: str


class PaymentRefunded(Event, frozen=True, kw_only=True):
    """A patient got something back."""

    payment: str
    refund: str
    patient: str
    amount: int
    currency: str
