"""What all pages on messages have around themselves."""

import secrets
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import clock
from polyclinic.services.portal.domain import message_words as words
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.door import draw, portal, signed_in

lookers_only = signed_in("administrator", "clinician")
askers_only = signed_in("administrator", "front-desk")
registrars_only = signed_in("front-desk")
operators_only = signed_in("administrator")

Errors = Sequence[tuple[str, str]]


def show(
    request: Request, template: str, signed: Signed, errors: Errors = (), **values: object
) -> Response:
    at_work, now = portal(request), clock.now()
    zone = at_work.settings.time_zone
    return draw(
        request,
        f"staff/messages_{template}.html",
        signed,
        422 if errors else 200,
        turn=secrets.token_urlsafe(12),
        errors=errors,
        wrong=dict(reversed(errors)),
        words=words,
        kind_words=words.kind_words,
        when=lambda at: times.short_moment(at, zone, at_work.today()),
        age=lambda at: words.age_words(words.hours_since(at, now)),
        **values,
    )
