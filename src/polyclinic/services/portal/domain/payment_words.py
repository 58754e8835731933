"""How a payment stands, in a patient's words: a chip, a heading, and what to do next."""

from dataclasses import dataclass

from polyclinic.services.portal.domain.bills import CANCELED, FAILED, PAID, PROCESSING, Payment

METHODS = {"card": "Card or bank", "cash": "Cash", "check": "Check", "other": "At the front desk"}
# What card gateways call a refusal (Stripe's decline codes), and what a person can do about it.
_REASONS = {
    "card_declined": ("Your bank declined the card.", "Try another card, or ask your bank why."),
    "generic_decline": ("Your bank declined the card.", "Try another card, or ask your bank why."),
    "insufficient_funds": ("There was not enough money on the card.", "Try another card."),
    "expired_card": ("The card has expired.", "Try another card."),
    "incorrect_cvc": ("The security code was not right.", "Try again with the card beside you."),
    "payment_intent_authentication_failure": (
        "Your bank could not confirm that it is you.",
        "Try again and answer your bank's question, or use another card.",
    ),
    "payment_method_provider_decline": (
        "Your bank sent the debit back.",
        "Check with your bank, or pay by card.",
    ),
    "never_started": ("The card page could not be opened.", "Try again."),
}
_UNKNOWN = ("The card company did not say why.", "Try again, or use another card.")
_ENDED = ("The card page was closed before anything was paid.", "Try again when you are ready.")


@dataclass(frozen=True, slots=True)
class Standing:
    """A state as a chip: never colour alone."""

    words: str
    tone: str
    icon: str


def standing(payment: Payment) -> Standing:
    if payment.disputed:
        return Standing("With your bank", "warn", "info")
    if payment.status == PAID and payment.refunded >= payment.amount:
        return Standing("Given back", "", "left")
    if payment.status == PAID and payment.refunded:
        return Standing("Partly given back", "", "left")
    return {
        PAID: Standing("Paid", "ok", "check"),
        PROCESSING: Standing("On its way", "info", "clock"),
        FAILED: Standing("Not paid", "warn", "dash"),
        CANCELED: Standing("Not paid", "", "dash"),
    }.get(payment.status, Standing("Not paid yet", "warn", "clock"))


def why_not(payment: Payment) -> tuple[str, str]:
    """Why a payment did not arrive, and what to do next."""
    if payment.failure in _REASONS:
        return _REASONS[payment.failure]
    return _ENDED if payment.status == CANCELED else _UNKNOWN


def method(payment: Payment) -> str:
    return METHODS.get(payment.method, "At the front desk")
