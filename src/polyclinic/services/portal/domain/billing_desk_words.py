"""Billing's states, queues and codes in the words of those who work with them."""

from collections.abc import Mapping, Sequence

from polyclinic.services.portal.domain.billing_work import Claim, Finding, Item, Told
from polyclinic.services.portal.domain.steps import Step
from polyclinic.standards.x12.codes import (
    ADJUSTMENT_GROUPS,
    ADJUSTMENT_REASONS,
    CLAIM_STATUS_CATEGORIES,
    CLAIM_STATUSES,
    say,
)

# queue → (its name, what waits there, what to do)
QUEUES: Mapping[str, tuple[str, str]] = {
    "to code": ("To code", "Visits that took place and have no charges yet."),
    "to submit": ("To submit", "Claims that are ready to be checked and sent to their payer."),
    "held": ("Held", "Claims with something missing, and files that could not be taken whole."),
    "rejected": ("Sent back", "Claims that a payer did not take: mend them and send them again."),
    "denied": ("Denied", "Lines that a payer does not pay: appeal, correct, bill or write off."),
    "unapplied": ("Credits", "Patients who paid more than they owe: give it back or keep it."),
    "estimate": ("Over estimate", "Bills well above what the patient was told before."),
    "gateway": ("Card payments", "Payments, refunds and disputes that need a person."),
}
# Outcomes for items that no deed of ours closes.
OUTCOMES: Mapping[str, str] = {
    "handled": "Dealt with",
    "told-patient": "Told the patient",
    "not-needed": "Nothing to do",
}
NOT_BILLABLE: Mapping[str, str] = {
    "no-show": "The patient did not come",
    "duplicate": "The same visit is there twice",
    "courtesy": "The clinic asks nothing for it",
    "follow-up-included": "It belongs to an earlier, paid service",
    "other": "Another reason",
}
WRITE_OFF: Mapping[str, str] = {
    "timely-filing": "Sent too late for this payer",
    "small-balance": "Too small to go after",
    "courtesy": "A courtesy of the clinic",
    "not-collectable": "It cannot be collected",
    "our-error": "A mistake of ours",
}
REFUND: Mapping[str, str] = {
    "overpaid": "Paid too much",
    "duplicate": "Paid twice",
    "service-not-given": "The service was not given",
    "insurance-paid": "The insurance paid after all",
    "courtesy": "A courtesy of the clinic",
    "other": "Another reason",
}
METHODS: Mapping[str, str] = {"cash": "Cash", "check": "Check", "other": "Another way"}
METHOD_WORDS: Mapping[str, str] = {**METHODS, "card": "Card"}
# state of a claim → (word, tone, icon)
STATES: Mapping[str, tuple[str, str, str]] = {
    "draft": ("Draft", "", "dash"),
    "checked": ("Checked", "info", "check"),
    "submitted": ("Sent", "info", "right"),
    "accepted": ("Taken by the payer", "info", "check"),
    "paid": ("Decided", "ok", "check"),
    "rejected": ("Sent back", "warn", "warning"),
    "denied": ("Denied", "warn", "warning"),
    "appealed": ("Appealed", "info", "clock"),
}
FILE_STATES: Mapping[str, tuple[str, str, str]] = {
    "ready": ("Waiting to go out", "info", "clock"),
    "sent": ("Sent", "ok", "check"),
    "taken": ("Taken", "ok", "check"),
    "held": ("Held", "warn", "warning"),
    "refused": ("Refused", "crit", "warning"),
}
FILE_KINDS: Mapping[str, str] = {
    "837P": "Claims",
    "TA1": "Receipt of the envelope",
    "999": "Receipt, form checked",
    "277CA": "Answer on each claim",
    "835": "Decisions and payment",
}
PAYMENT_STATES: Mapping[str, tuple[str, str, str]] = {
    "succeeded": ("Received", "ok", "check"),
    "failed": ("Failed", "warn", "warning"),
    "canceled": ("Given up", "", "dash"),
    "starting": ("Begun", "info", "clock"),
    "processing": ("On its way", "info", "clock"),
    "requires_action": ("Waiting for the patient", "info", "clock"),
}
RULES: Mapping[str, str] = {
    "complete": "Everything is known",
    "well-formed": "The claim keeps to the format",
    "covered": "Insured on the day",
    "in time": "Within the payer's time",
    "member number": "The member number fits",
    "authorized": "Authorized where needed",
    "units": "Within the payer's units",
    "no line twice": "No line is there twice",
}
_KINDS: Mapping[str, str] = {
    "begun": "Begun with the visit's charges",
    "checked": "Checked: nothing is missing",
    "held": "Checked: something is missing",
    "authorized": "Authorization number entered",
    "submitted": "Sent to the payer",
    "accepted": "Taken by the payer",
    "accept": "Taken by the payer",
    "rejected": "Sent back by the payer",
    "pay": "Decided and paid by the payer",
    "deny": "Denied by the payer",
    "reverse": "The payer took its decision back",
    "corrected": "Back to draft, to be corrected",
    "appealed": "Appealed",
    "written off": "An amount was written off",
    "billed to the patient": "An amount went to the patient's bill",
    "lines changed": "Charges of the visit changed",
}
_CODES: Mapping[str, str] = {
    "excess": "Above the estimate",
    "unknown claim": "A payment for a claim we do not know",
    "unexpected": "A decision that does not fit the claim's state",
    "refund not ours": "A refund that was made outside",
    "dispute": "The patient disputes a card payment",
}
# place of a finding → what to do about it
_NEXT: tuple[tuple[str, str], ...] = (
    ("prior_authorization", "Ask the payer for the number and enter it under What to do now."),
    ("coverage", "Ask the front desk to put the insurance right, then check again."),
    ("patient", "Ask the front desk to complete the patient's details, then check again."),
    ("subscriber", "Ask the front desk to complete who is insured, then check again."),
    ("provider", "Have the clinician's NPI entered, then check again."),
    ("settings", "Whoever runs the platform sets this; then check again."),
    ("payer", "Have the payer's data completed, or send this claim on paper."),
    ("day", "It may be too late for this payer: write it off or send it with an appeal."),
    ("lines", "Take the charge back and code the visit again."),
    ("diagnoses", "Take the charges back and code the visit again."),
)
_NOT_COVERED = "CO-96"  # where no decision says why
_BY_CONTRACT = ("45", "253")
# The straight way of a claim.
_WAY = ("draft", "checked", "submitted", "accepted", "paid")
_AHEAD: Mapping[str, str] = {"submitted": "Sent", "accepted": "Taken", "paid": "Decided"}


def life(status: str, history: Sequence[Told], left: int) -> list[Step]:
    """Where a claim is on its way; what a payer refused is a station of its own.

    A decision that leaves something open is not the good end of the way.
    """
    reached = {told.status: told.at for told in history}
    if status in _WAY:
        now, stations = _WAY.index(status), _WAY
    else:
        known = 3 if status == "rejected" else 4
        own = ("denied", "appealed") if status == "appealed" else (status,)
        now, stations = known + len(own) - 1, (*_WAY[:known], *own)
    steps = [
        Step(
            STATES[each][0] if n <= now else _AHEAD.get(each, STATES[each][0]),
            "done" if n < now else "now" if n == now else "ahead",
            ("warn" if each == "paid" and left else STATES[each][1]) if n == now else "",
            reached.get(each) if n <= now else None,
        )
        for n, each in enumerate(stations)
    ]
    if status in ("rejected", "denied"):
        steps.append(Step("Put right", "ahead"))
    if status == "appealed":
        steps.append(Step("Decided anew", "ahead"))
    return steps


def code_words(code: str) -> str:
    """`CO-50` and `A7-562` in words, with the code behind them; others as they are."""
    group, _, rest = code.partition("-")
    if group in ADJUSTMENT_GROUPS and rest:
        return f"{say(ADJUSTMENT_REASONS, rest)} ({code})"
    if group in CLAIM_STATUS_CATEGORIES:
        category = CLAIM_STATUS_CATEGORIES[group].capitalize()
        detail = CLAIM_STATUSES.get(rest, "")
        return f"{category}{': ' + detail if detail else ''} ({code})"
    return _CODES.get(code, code.capitalize())


def group_words(code: str) -> str:
    """Who bears what was taken off; a denial under CO is for us to deal with, not settled."""
    group, _, reason = code.partition("-")
    if group == "CO" and reason not in _BY_CONTRACT:
        return ""
    return ADJUSTMENT_GROUPS.get(group, "")


def kind_words(kind: str) -> str:
    return _KINDS.get(kind, kind.capitalize())


def age_words(days: int) -> str:
    return "today" if days < 1 else "1 day" if days == 1 else f"{days} days"


def what_next(finding: Finding) -> str:
    for place, words in _NEXT:
        if finding.place.startswith(place):
            return words
    return "Put it right, then check again."


def address(item: Item) -> str:
    """The page where an item is dealt with, if there is one."""
    pages = {"Visit": "visits", "Claim": "claims", "File": "files", "Payment": "payments"}
    if item.kind in pages:
        return f"/billing-desk/{pages[item.kind]}/{item.subject_id}"
    whose = item.subject if item.kind == "Patient" else item.patient or ""
    return f"/billing-desk/patients/{whose.partition('/')[2]}" if whose else ""


def denial_code(claim: Claim) -> str:
    """The payer's reason for what is open: the largest that neither patient nor contract bears."""
    listed = [each for decision in claim.decisions for each in decision.adjustments]
    denied = [
        each
        for each in listed
        if each.code.startswith("CO-") and each.code.partition("-")[2] not in _BY_CONTRACT
    ]
    return max(denied, key=lambda each: each.amount).code if denied else _NOT_COVERED


def author_words(author: str, own: str) -> str:
    """People know who they are; billing names others by what its tokens say."""
    if author == own:
        return "You"
    return {"billing": "Billing itself", "system": "The platform"}.get(author, author)
