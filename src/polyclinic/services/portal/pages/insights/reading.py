"""What all pages on risks and models have around themselves."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.services.portal.domain import insight_words as words
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.door import draw, portal, signed_in

clinicians_only = signed_in("clinician")
lookers_only = signed_in("administrator", "clinician")
runners_only = signed_in("administrator")

Errors = Sequence[tuple[str, str]]


def show(
    request: Request, template: str, signed: Signed, errors: Errors = (), **values: object
) -> Response:
    at_work = portal(request)

    def when(at: str) -> str:
        moment = datetime.fromisoformat(at)
        return times.short_moment(moment, at_work.settings.time_zone, at_work.today())

    return draw(
        request,
        f"staff/{template}.html",
        signed,
        422 if errors else 200,
        turn=secrets.token_urlsafe(12),
        errors=errors,
        wrong=dict(reversed(errors)),
        words=words,
        when=when,
        **values,
    )
