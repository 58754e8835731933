"""Payers, persons and coverages at billing's door."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import coverages, payers, people
from polyclinic.services.billing.actions.coverages import CoverageBody, End, NewTerms, Taking
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain.coverage import Coverage
from polyclinic.services.billing.domain.payers import Payer, Rules
from polyclinic.services.billing.domain.people import Address, Person
from polyclinic.services.billing.routes import reading
from polyclinic.services.billing.routes.answers import asker_of, books_of, once


class PayerBody(msgspec.Struct, frozen=True, kw_only=True):
    """A payer without its id, which stands in the address."""

    name: str
    x12_id: str
    address: Address = msgspec.field(default_factory=Address)
    electronic: bool = True
    rules: Rules = msgspec.field(default_factory=Rules)


async def put_payer(request: Request) -> Response:
    asker, body = await asker_of(request), await reading.body(request, PayerBody)
    name = request.path_params["payer"]
    payer = Payer(name, body.name, body.x12_id, body.address, body.electronic, body.rules)
    is_new = await payers.put_payer(books_of(request), asker, payer)
    return http.json({"payer": name}, 201 if is_new else 200)


async def get_payers(request: Request) -> Response:
    found = await payers.listed(books_of(request), await asker_of(request))
    return http.json({"payers": found})


async def get_payer(request: Request) -> Response:
    name = request.path_params["payer"]
    return http.json(await payers.one(books_of(request), await asker_of(request), name))


async def put_person(request: Request) -> Response:
    asker, body = await asker_of(request), await reading.body(request, Person)
    patient = f"Patient/{request.path_params['patient']}"
    is_new = await people.put_person(books_of(request), asker, patient, body)
    return http.json({"patient": patient}, 201 if is_new else 200)


async def get_person(request: Request) -> Response:
    patient = f"Patient/{request.path_params['patient']}"
    return http.json(await people.shown(books_of(request), await asker_of(request), patient))


async def get_coverages(request: Request) -> Response:
    """`patient`: a reference such as `Patient/42`."""
    patient = reading.query(request, "patient").get("patient", "")
    found = await coverages.of_patient(books_of(request), await asker_of(request), patient)
    return http.json({"coverages": [_shown(each) for each in found]})


def _shown(each: Coverage) -> dict[str, object]:
    return {
        "id": each.id,
        "patient": each.patient,
        "payer": each.payer,
        "rank": each.rank,
        "from_day": each.from_day,
        "until_day": each.until_day,
        "ended": each.ended,
        "copay": each.terms.copay,
        "deductible_left": each.terms.deductible_left,
        "coinsurance_bp": each.terms.coinsurance_bp,
        "out_of_pocket_left": each.terms.out_of_pocket_left,
        "member_id": each.member_id,
        "group_number": each.group_number,
        "relationship": each.relationship,
        "subscriber": each.subscriber,
    }


async def post_coverage(request: Request) -> Response:
    return await once(request, CoverageBody, coverages.open_coverage)


async def post_taking(request: Request) -> Response:
    return await once(request, Taking, coverages.take_from_chart)


async def post_end(request: Request) -> Response:
    coverage = reading.uuid_of(request, "coverage")

    async def act(books: Books, asker: Asker, asked: End, key: Once) -> Stored:
        return await coverages.end_coverage(books, asker, coverage, asked, key)

    return await once(request, End, act)


async def post_terms(request: Request) -> Response:
    coverage = reading.uuid_of(request, "coverage")

    async def act(books: Books, asker: Asker, asked: NewTerms, key: Once) -> Stored:
        return await coverages.set_terms(books, asker, coverage, asked, key)

    return await once(request, NewTerms, act)


people_routes = (
    Route("/billing/payers", get_payers, methods=["GET"]),
    Route("/billing/payers/{payer}", get_payer, methods=["GET"]),
    Route("/billing/payers/{payer}", put_payer, methods=["PUT"]),
    Route("/billing/people/{patient}", get_person, methods=["GET"]),
    Route("/billing/people/{patient}", put_person, methods=["PUT"]),
    Route("/billing/coverages", get_coverages, methods=["GET"]),
    Route("/billing/coverages", post_coverage, methods=["POST"]),
    Route("/billing/coverages/from-chart", post_taking, methods=["POST"]),
    Route("/billing/coverages/{coverage}/end", post_end, methods=["POST"]),
    Route("/billing/coverages/{coverage}/terms", post_terms, methods=["POST"]),
)
