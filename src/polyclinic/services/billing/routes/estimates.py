"""Estimates at billing's door."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.services.billing.actions import estimating
from polyclinic.services.billing.actions.estimating import EstimateBody
from polyclinic.services.billing.actions.state import Books
from polyclinic.services.billing.domain.estimate import DISCLAIMERS, Estimate, Expected, Share
from polyclinic.services.billing.routes import reading
from polyclinic.services.billing.routes.answers import asker_of, books_of, once


async def post_estimate(request: Request) -> Response:
    return await once(request, EstimateBody, estimating.estimate)


async def get_estimate(request: Request) -> Response:
    books, asker = books_of(request), await asker_of(request)
    found = await estimating.one(books, asker, reading.uuid_of(request, "estimate"))
    return http.json(_shown(books, found))


async def get_estimates(request: Request) -> Response:
    """`patient`: a reference such as `Patient/42`."""
    books, asker = books_of(request), await asker_of(request)
    patient = reading.query(request, "patient").get("patient", "")
    found = await estimating.of_patient(books, asker, patient)
    return http.json({"estimates": [_shown(books, each) for each in found]})


def _shown(books: Books, each: Estimate) -> dict[str, object]:
    content = each.content
    pairs = zip(content.lines, content.shares, strict=True)
    return {
        "id": each.id,
        "patient": each.patient,
        "kind": each.kind,
        "coverage": each.coverage,
        "for_day": each.for_day,
        "made": each.made,
        "valid_until": each.valid_until,
        "provider": {
            "clinic": books.settings.clinic_name,
            "practitioner": content.practitioner or None,
            "npi": content.npi,
        },
        "diagnoses": content.diagnoses,
        "lines": [_line(line, share) for line, share in pairs],
        "total": {"amount": each.total, "currency": each.currency},
        "share": {"amount": each.share, "currency": each.currency},
        "visit": each.visit,
        "billed": each.billed,
        "flagged": each.flagged,
        "disclaimers": DISCLAIMERS[each.kind],
    }


def _line(line: Expected, share: Share) -> dict[str, object]:
    return {
        "code": line.code,
        "modifiers": line.modifiers,
        "title": line.title,
        "units": line.units,
        "charge": line.charge,
        "allowed": line.allowed,
        "is_listed": line.is_listed,
        "copay": share.copay,
        "deductible": share.deductible,
        "coinsurance": share.coinsurance,
        "spared": share.spared,
        "share": share.total,
    }


estimate_routes = (
    Route("/billing/estimates", get_estimates, methods=["GET"]),
    Route("/billing/estimates", post_estimate, methods=["POST"]),
    Route("/billing/estimates/{estimate}", get_estimate, methods=["GET"]),
)
