"""Bills and receipts on paper: accessible PDFs, made on demand and kept nowhere."""

from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import segno

from polyclinic.services.billing.actions import links, opened, paying, stating
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access, money
from polyclinic.services.billing.domain.payments import Payment, Refund
from polyclinic.services.billing.domain.problems import NotYours
from polyclinic.services.billing.domain.statements import BillLine, Snapshot, Statement
from polyclinic.services.billing.store import payments, statements

TEMPLATES = Path(__file__).parents[1] / "templates"
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
_METHODS = {"card": "by card", "cash": "in cash", "check": "by check", "other": "at the desk"}
_STATES = {"starting": "on its way", "processing": "on its way", "succeeded": "given back",
           "failed": "did not arrive"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sheet:
    """A PDF and the name under which it is saved: a number, never a person."""

    name: str
    content: bytes


async def statement(books: Books, asker: Asker, name: UUID) -> Sheet:
    """The bill as it was sent, with a link to pay what is owed by then."""
    kept = await own_statement(books, asker, name)
    snapshot = await stating.snapshot_of(books, kept)
    link = await links.link_of(books, kept.statement)
    await books.log_read(asker, "Invoice", {kept.statement.patient: 1})
    values = statement_values(books, kept.statement, snapshot, link)
    content = await books.typesetter.pdf(TEMPLATES / "statement.typ", values)
    return Sheet(f"statement-{kept.statement.number}.pdf", content)


async def own_statement(books: Books, asker: Asker, name: UUID) -> statements.Kept:
    """A statement that the caller may see; somebody else's looks like none."""
    kept = await statements.find(books.running.database, name)
    if kept is None:
        raise NotYours
    try:
        access.check_own(asker.caller, kept.statement.patient, "Invoice", "r")
    except NotYours:
        await books.log_denied(asker, "Invoice", kept.statement.patient)
        raise
    return kept


async def receipt(books: Books, asker: Asker, name: UUID) -> Sheet:
    """A payment on paper; only what has arrived has a receipt."""
    payment = await paying.find(books, asker, name, "r")
    if payment.status != "succeeded":
        raise NotYours
    database = books.running.database
    refunds = await payments.refunds_of(database, [name])
    people = await opened.persons(books, [payment.patient])
    person = people.get(payment.patient)
    await books.log_read(asker, "PaymentNotice", {payment.patient: 1})
    values = receipt_values(books, payment, refunds, person.name if person else "")
    content = await books.typesetter.pdf(TEMPLATES / "receipt.typ", values)
    return Sheet(f"receipt-{str(payment.id)[:8]}.pdf", content)


def statement_values(
    books: Books, made: Statement, snapshot: Snapshot, link: links.Link | None
) -> dict[str, object]:
    """What the template shows: words and amounts, ready to be set."""
    lines = [_line(each, made.currency) for each in snapshot.lines]
    return {
        **_clinic(books, f"Statement {_number(made)}"),
        **_link(link),
        "number": _number(made),
        "heading": "Your bill",
        "name": snapshot.name or "To the patient",
        "address": list(snapshot.address),
        "facts": [
            ["Statement", _number(made)],
            ["Date", _day(made.day)],
            ["Account", made.patient.partition("/")[2]],
            ["Pay by", _day(made.due)],
        ],
        "owed_label": "You owe",
        "owed": shown(made.total, made.currency),
        "due_label": "Please pay by",
        "due": _day(made.due),
        "lines": lines + _other(snapshot.other, made),
        "ways": _ways(books, made, link),
        "questions": "Ask us before the bill is due: at the front desk or through the portal. You "
        "can pay in 2 to 12 monthly parts without interest; the portal or the desk sets it up.",
    }


def _link(link: links.Link | None) -> dict[str, object]:
    return {
        "qr": qr(link.url) if link else "",
        "qr_alt": "A code to scan with a phone. It opens the page where this bill can be paid.",
        "link": link.url if link else "",
        "link_shown": link.url.partition("://")[2] if link else "",
        "link_ends": _day(link.ends) if link else "",
    }


def _ways(books: Books, made: Statement, link: links.Link | None) -> list[str]:
    clinic = books.settings.clinic_name
    online = "Online with the code or link above, or signed in to the portal."
    return [
        *([online] if link else []),
        "At the front desk: by card, in cash or by check.",
        f"By check to {clinic}; write the statement number {_number(made)} on it.",
    ]


def _line(line: BillLine, currency: str) -> dict[str, str]:
    reduced = line.contract + line.forgiven
    notes = [line.code, *([f"{line.units} units"] if line.units > 1 else [])]
    if line.waiting:
        notes.append(f"{shown(line.waiting, currency)} waits for your insurance")
    return {
        "day": line.day.strftime("%m/%d/%y"),
        "title": line.title or line.code,
        "note": " · ".join(notes) if line.title else "",
        "charged": shown(line.charged, currency),
        "insurance": shown(-line.insurance, currency) if line.insurance else "–",
        "reduced": shown(-reduced, currency) if reduced else "–",
        "share": shown(line.share, currency),
        "paid": shown(-line.paid, currency) if line.paid else "–",
        "left": shown(line.left, currency),
    }


def _other(amount: int, made: Statement) -> list[dict[str, str]]:
    if not amount:
        return []
    value = shown(amount, made.currency)
    empty = {"note": "", "insurance": "–", "reduced": "–", "paid": "–"}
    return [{**empty, "day": made.day.strftime("%m/%d/%y"), "title": "Earlier balance",
             "charged": value, "share": value, "left": value}]  # fmt: skip


def receipt_values(
    books: Books, payment: Payment, refunds: list[Refund], name: str
) -> dict[str, object]:
    zone = ZoneInfo(books.settings.time_zone)
    how, day = _METHODS[payment.method], _day(payment.changed.astimezone(zone).date())
    return {
        **_clinic(books, "Receipt"),
        "heading": "Thank you for your payment",
        "label": "We received",
        "amount": shown(payment.amount, payment.currency),
        "how": f"{how} on {day}",
        "facts": [
            ["From", name or "The patient"],
            ["Account", payment.patient.partition("/")[2]],
            ["Payment", str(payment.id)],
            ["Received", day],
            ["Paid", how],
        ],
        "refunds": [
            {
                "day": _day(each.made.astimezone(zone).date()),
                "status": _STATES[each.status],
                "amount": shown(each.amount, payment.currency),
            }
            for each in refunds
        ],
        "closing": "Keep this receipt for your tax or health savings account. It says nothing of "
        "what you were treated for; the statement does.",
    }


def _clinic(books: Books, title: str) -> dict[str, object]:
    settings = books.settings
    street, city, state, code, *more = [
        part.strip() for part in f"{settings.clinic_address};;;".split(";")
    ]
    town = " ".join(filter(None, (f"{city}," if city else "", state, code)))
    address = [street, town, *more]
    return {
        "title": f"{title} – {settings.clinic_name}",
        "clinic": {"name": settings.clinic_name, "address": [*filter(None, address)]},
    }


def shown(amount: int, currency: str) -> str:
    """`-$1,234.50`; a currency without a sign of its own is named."""
    whole, point, rest = money.plain(abs(amount), currency).partition(".")
    text = f"{int(whole):,}{point}{rest}"
    sign = "−" if amount < 0 else ""
    return f"{sign}{_SIGNS[currency]}{text}" if currency in _SIGNS else f"{sign}{text} {currency}"


def qr(url: str) -> str:
    """A code that phones read although a tenth of it is damaged."""
    drawn = BytesIO()
    segno.make(url, error="m", micro=False).save(
        drawn, kind="svg", xmldecl=False, border=0, dark="#12272B"
    )
    return drawn.getvalue().decode()


def _number(made: Statement) -> str:
    return f"{made.number:06}"


def _day(day: date) -> str:
    return f"{day:%B} {day.day}, {day.year}"
