"""Billing's forms: longer than others, some with a file, and amounts as people type them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid
from polyclinic.services.portal.actions.billing_desk import Named
from polyclinic.services.portal.domain import session as rules
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.billing_desk_words import author_words
from polyclinic.services.portal.domain.money import Currency
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.door import draw, origin, portal, signed_in

billers_only = signed_in("billing")
coders_only = signed_in("billing", "clinician")
takers_only = signed_in("billing", "front-desk")
FIELDS_MAX, UPLOAD_MAX = 300, 8 * 1024 * 1024


@dataclass(frozen=True)
class Given:
    """A long form: its fields, those that may repeat, and the file that came with it."""

    fields: dict[str, str]
    repeated: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    content: bytes = b""

    def get(self, name: str, default: str = "") -> str:
        return self.fields.get(name, default)

    @property
    def turn(self) -> str:
        return self.get("turn")[:40]


async def read_form(request: Request, signed: Signed) -> Given:
    """Every field, once the form is known to be one of ours; one file at most."""
    fields: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    content = b""
    limit = UPLOAD_MAX
    async with request.form(max_files=1, max_fields=FIELDS_MAX, max_part_size=limit) as sent:
        for name, value in sent.multi_items():
            if isinstance(value, UploadFile):
                content = await value.read(limit + 1)
            else:
                fields[name] = value
                repeated.setdefault(name, []).append(value)
    headers = {name: request.headers[name] for name in request.headers}
    rules.check_form(signed.session, fields.get("csrf", ""), headers, origin(request))
    if len(content) > limit:
        raise Invalid("The file is larger than 8 MB.", place="file")
    return Given(fields, repeated, content)


def show(
    request: Request, template: str, signed: Signed, status: int = 200, **values: object
) -> Response:
    """A page of billing, with what all of them use."""
    at_work = portal(request)
    zone = at_work.settings.time_zone
    return draw(
        request,
        f"staff/billing_{template}.html",
        signed,
        status,
        turn=secrets.token_urlsafe(12),
        when=lambda at: times.short_moment(at, zone, at_work.today()),
        day=lambda of: times.day_words(of, at_work.today()),
        date_of=times.short_day,
        money=lambda amount, currency="USD": Currency(currency).words(amount),
        by=lambda author: author_words(author, signed.session.subject),
        **values,
    )


def first_of(errors: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What stands at each field: the first of what is wrong with it."""
    return dict(reversed(errors))


def nameless(named: Named) -> bool:
    """Whether names are missing although records is installed."""
    return named.people.is_missing and not named.is_without_records


def amount_of(text: str, currency: str, name: str) -> int:
    """Minor units; raises Invalid with the field's name."""
    try:
        return Currency(currency).read(text)
    except Invalid as wrong:
        raise Invalid(wrong.message, place=name) from wrong
