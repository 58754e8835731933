"""Billing's settings, each with a sentence in `NOTES`."""

from polyclinic.foundation.settings import Settings


class BillingSettings(Settings, frozen=True, kw_only=True):
    """Whose money it is, which currency, and who is asked."""

    currency: str = "USD"
    time_zone: str = "UTC"
    clinic_name: str = "The clinic"
    clinic_address: str = ""
    clinic_telephone: str = ""
    clinic_npi: str = "1234567893"
    clinic_tax_id: str = "000000000"
    submitter_id: str = "POLYCLINIC"
    payment_days: int = 30
    statement_days: int = 30
    pay_link_days: int = 60
    pay_url: str | None = None
    estimate_excess: int = 40_000
    encounter_days: int = 30
    idempotency_hours: int = 72
    exchange_folder: str | None = None
    exchange_url: str | None = None
    cards: str = "none"
    cards_url: str | None = None
    cards_key: str | None = None
    cards_webhook_secret: str | None = None


NOTES = {
    "currency": "The clinic's currency, three letters of ISO 4217.",
    "time_zone": "The IANA zone in which the clinic's days begin and end.",
    "clinic_name": "The clinic's name as bills and claims say it.",
    "clinic_address": "Its address: street; city; state; postal code.",
    "clinic_telephone": "Its telephone number, ten digits.",
    "clinic_npi": "Its National Provider Identifier, ten digits.",
    "clinic_tax_id": "Its tax identification number, nine digits.",
    "submitter_id": "The name under which claims are sent (ISA06 and GS02).",
    "payment_days": "How many days patients have to pay a bill.",
    "estimate_excess": "A bill is flagged when it is more than this above its estimate, in minor"
    " units (by 45 CFR 149.620 patients may dispute from $400.00 on; 39999 flags that, too).",
    "statement_days": "How many days after a bill the next one is sent by itself; 0 sends none.",
    "encounter_days": "How old a finished encounter of the chart may be to become a visit to code.",
    "pay_link_days": "How many days the link on a bill can be used.",
    "pay_url": "The address that the link on a bill begins with, if not the public one.",
    "idempotency_hours": "How long a repeated request gets the answer of the first.",
    "exchange_folder": "The folder through which X12 files go to and come from payers, if any.",
    "exchange_url": "The address of a payer or clearing house for X12 files, if any.",
    "cards": "Who takes card payments: none, http (an address shaped as Stripe's) or stripe.",
    "cards_url": "The card gateway's address, where it is not the gateway's own.",
    "cards_key": "The secret key at the card gateway.",
    "cards_webhook_secret": "The secret with which the card gateway signs what it tells us.",
}
