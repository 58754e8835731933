"""What becomes of a payment: which test card does what, and what is told about it."""

from typing import Any

from polyclinic.demo.cards.kept import Json, Kept

# Stripe's published test numbers, so that what is tried here can be tried there.
CARDS = {
    "4242424242424242": ("Pays", "succeeded"),
    "4000002500003155": ("Asks for a second step (3-D Secure), then pays", "3ds"),
    "4000000000000002": ("Is declined", "card_declined"),
    "4000000000009995": ("Is declined: insufficient funds", "insufficient_funds"),
    "4000000000000069": ("Is declined: expired", "expired_card"),
    "000123456789": ("Bank debit: on its way, pays later", "debit"),
    "000111111116": ("Bank debit: on its way, fails later", "debit_fails"),
    "4000000000000259": ("Pays, and is disputed later", "disputed"),
    "4000000000007726": ("Pays; a refund takes a while", "slow_refund"),
    "4000000000005126": ("Pays; a refund fails later", "failing_refund"),
}
_DECLINES = {"card_declined", "insufficient_funds", "expired_card"}


class Declined(Exception):
    """The card's bank says no; the person may try another."""


def submit(kept: Kept, session: Json, number: str) -> str:
    """Pays a session with a card; answers `done` or `check` (3-D Secure). Raises Declined."""
    outcome = CARDS[number][1]
    intent = _intent_of(kept, session)
    if outcome in _DECLINES:
        intent["last_payment_error"] = {"code": outcome, "type": "card_error"}
        kept.save(intent)
        kept.tell("payment_intent.payment_failed", intent)
        raise Declined(outcome)
    intent["last_payment_error"] = None
    if outcome == "3ds":
        intent["status"] = "requires_action"
        kept.save(intent)
        kept.tell("payment_intent.requires_action", intent)
        return "check"
    _complete(kept, session, intent, outcome)
    return "done"


def confirm(kept: Kept, session: Json, *, passed: bool) -> None:
    """The end of the 3-D Secure step. Raises Declined when it was not passed."""
    intent = _intent_of(kept, session)
    if not passed:
        intent["status"] = "requires_payment_method"
        intent["last_payment_error"] = {"code": "payment_intent_authentication_failure"}
        kept.save(intent)
        kept.tell("payment_intent.payment_failed", intent)
        raise Declined("authentication_failed")
    _complete(kept, session, intent, "succeeded")


def _intent_of(kept: Kept, session: Json) -> Json:
    """A session has an intent from the first attempt to pay on, as with Stripe since 2022."""
    if session["payment_intent"]:
        found = kept.find("payment_intent", session["payment_intent"])
        assert found is not None
        return found
    intent = kept.add(
        "payment_intent",
        amount=session["amount_total"],
        currency=session["currency"],
        status="requires_payment_method",
        metadata=session["_intent_metadata"],
        last_payment_error=None,
        amount_received=0,
    )
    session["payment_intent"] = intent["id"]
    kept.save(session)
    kept.tell("payment_intent.created", intent)
    return intent


def _complete(kept: Kept, session: Json, intent: Json, outcome: str) -> None:
    session["status"], session["url"] = "complete", None
    intent["_outcome"] = outcome
    if outcome.startswith("debit"):
        intent["status"] = "processing"
        intent["_settles"] = kept.now() + kept.settings.settle_seconds
        kept.tell("payment_intent.processing", intent)
    else:
        _succeed(kept, session, intent)
    kept.save(intent)
    kept.save(session)
    kept.tell("checkout.session.completed", session)


def _succeed(kept: Kept, session: Json, intent: Json) -> None:
    intent["status"], intent["amount_received"] = "succeeded", intent["amount"]
    session["payment_status"] = "paid"
    kept.tell("payment_intent.succeeded", intent)


def settle_due(kept: Kept) -> None:
    """Brings to an end what is due by the gateway's clock: debits, refunds, sessions, disputes."""
    with kept.whole():
        now = kept.now()
        for intent in kept.all("payment_intent"):
            if intent["status"] == "processing" and intent["_settles"] <= now:
                settle(kept, intent, fails=intent["_outcome"] == "debit_fails")
        for refund in kept.all("refund"):
            if refund.get("_settles", now + 1) <= now:
                settle_refund(kept, refund)
        for session in kept.all("checkout.session"):
            if session["status"] == "open" and session["expires_at"] <= now:
                expire(kept, session)


def settle(kept: Kept, intent: Json, *, fails: bool) -> None:
    """The end of a bank debit."""
    (session,) = (s for s in kept.all("checkout.session") if s["payment_intent"] == intent["id"])
    if fails:
        intent["status"] = "requires_payment_method"
        intent["last_payment_error"] = {"code": "payment_method_provider_decline"}
        kept.tell("payment_intent.payment_failed", intent)
        kept.tell("checkout.session.async_payment_failed", session)
    else:
        _succeed(kept, session, intent)
        kept.tell("checkout.session.async_payment_succeeded", session)
    kept.save(intent)
    kept.save(session)


def expire(kept: Kept, session: Json) -> Json:
    session["status"], session["url"] = "expired", None
    kept.tell("checkout.session.expired", session)
    return kept.save(session)


def give_back(kept: Kept, intent: Json, amount: int, metadata: dict[str, Any]) -> Json:
    outcome = intent.get("_outcome")
    slow = outcome == "slow_refund"
    more = {"_settles": kept.now() + kept.settings.settle_seconds}
    refund = kept.add(
        "refund",
        amount=amount,
        currency=intent["currency"],
        payment_intent=intent["id"],
        status="pending" if slow else "succeeded",
        metadata=metadata,
        **(more if outcome in ("slow_refund", "failing_refund") else {}),
    )
    kept.tell("refund.created", refund)
    return refund


def settle_refund(kept: Kept, refund: Json) -> None:
    """A slow refund arrives; a failing one comes back although it had succeeded."""
    del refund["_settles"]
    refund["status"] = "succeeded" if refund["status"] == "pending" else "failed"
    kept.save(refund)
    kept.tell("refund.updated" if refund["status"] == "succeeded" else "refund.failed", refund)


def dispute(kept: Kept, intent: Json, amount: int) -> Json:
    made = kept.add(
        "dispute",
        amount=amount,
        currency=intent["currency"],
        payment_intent=intent["id"],
        status="needs_response",
        reason="fraudulent",
    )
    kept.tell("charge.dispute.created", made)
    return made


def close_dispute(kept: Kept, found: Json, status: str) -> Json:
    found["status"] = status
    kept.save(found)
    kept.tell("charge.dispute.closed", found)
    return found
