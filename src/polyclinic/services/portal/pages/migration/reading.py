"""What all pages of the move share: who may see them, and how they are drawn."""

import secrets
from collections.abc import Sequence
from datetime import date, datetime

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Problem
from polyclinic.services.portal.domain import migration_words as words
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.gateways.migration import MovedMeanwhile, MoveRefused
from polyclinic.services.portal.pages.door import draw, portal, signed_in

administrators_only = signed_in("administrator")
REFUSED = (MoveRefused, MovedMeanwhile)
Errors = Sequence[tuple[str, str]]


def show(
    request: Request, template: str, signed: Signed, errors: Errors = (), **values: object
) -> Response:
    """A page of the move, with its words and its times."""
    at_work = portal(request)
    zone, today = at_work.settings.time_zone, at_work.today()
    return draw(
        request,
        f"staff/move_{template}.html",
        signed,
        422 if errors else 200,
        words=words,
        errors=errors,
        wrong=dict(reversed(errors)),
        turn=secrets.token_urlsafe(12),
        done=request.query_params.get("done", ""),
        when=lambda at: times.short_moment(datetime.fromisoformat(at), zone, today),
        day=lambda of: times.short_day(date.fromisoformat(of)),
        by=lambda author: "you" if author == signed.session.subject else words.author_words(author),
        **values,
    )


def wrong(problem: Problem) -> Errors:
    return [("", problem.message)]
