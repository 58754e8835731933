"""Services that publish documents into records: exactly the declared types, in their own name."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from records_door import BASE, FHIR, SERVICES, Door, bundle, issues_of, opened, patient, put

from databases import database
from polyclinic.assembly import process, services
from polyclinic.foundation import jose
from polyclinic.foundation.errors import Forbidden
from polyclinic.foundation.service import Service
from polyclinic.foundation.tokens import ServiceTokens
from polyclinic.standards.fhir.definitions import resource_types

PUBLISHED = ("Claim", "ClaimResponse", "ExplanationOfBenefit")
PUBLISHER = Service(
    "billing", "Publishes claims.", "sealed", (), (), writes=PUBLISHED, reads=("Coverage",)
)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="module")
async def billed(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    """Records in a house where a service called billing publishes claims."""
    known = (*(each for each in services.SERVICES if each.name != "billing"), PUBLISHER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "SERVICES", known)
        patch.setattr(process, "SERVICES", known)
        async with database(postgres_url, key_file, SERVICES) as url, opened(url, key_file) as door:
            yield door


def tokens_of(door: Door, scopes: tuple[str, ...] = PUBLISHER.document_scopes) -> ServiceTokens:
    return ServiceTokens(door.process.peers, door.root, "billing", None, scopes)


async def ask(door: Door, method: str, path: str, token: str, **request):
    headers = {"authorization": f"Bearer {token}", "content-type": FHIR}
    return await door.client.request(method, path, headers=headers, **request)


def claim(subject: str, **changes):
    text = {"text": "demo"}
    return {
        "resourceType": "Claim",
        "id": "bill-1",
        "status": "active",
        "type": text,
        "use": "claim",
        "patient": {"reference": subject},
        "created": "2026-11-22",
        "provider": {"display": "The clinic"},
        "priority": text,
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "none"}}],
        **changes,
    }


async def test_a_service_keeps_the_documents_it_declares_and_changes_them(billed: Door):
    subject = f"Patient/{(await billed.make(patient()))['id']}"
    token = await tokens_of(billed).for_documents()
    first = await ask(billed, "PUT", "/fhir/Claim/bill-1", token, json=claim(subject))
    assert first.status_code == 201, first.text
    assert "bill-1" in first.headers["location"]
    again = claim(subject, status="cancelled")
    changed = await ask(billed, "PUT", "/fhir/Claim/bill-1", token, json=again)
    assert changed.status_code == 200, changed.text
    kept = await ask(billed, "GET", "/fhir/Claim/bill-1", token)
    assert kept.json()["status"] == "cancelled"
    logged = await billed.sql("SELECT DISTINCT actor FROM records.access_log WHERE id = 'bill-1'")
    assert [row["actor"] for row in logged] == ["billing"]


async def test_several_documents_are_published_as_one_transaction(billed: Door):
    subject = f"Patient/{(await billed.make(patient()))['id']}"
    token = await tokens_of(billed).for_documents()
    both = bundle(
        "transaction",
        put(claim(subject, id="bill-2")),
        put(claim(subject, id="bill-3", related=[{"claim": {"reference": "Claim/bill-2"}}])),
    )
    answer = await ask(billed, "POST", "/fhir", token, json=both)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[("POST", f"/fhir/{kind}") for kind in resource_types() if kind not in PUBLISHED],
        ("PUT", "/fhir/Patient/x"),
        ("PUT", "/fhir/Coverage/x"),
        ("DELETE", "/fhir/Claim/bill-1"),
        ("DELETE", "/fhir/Patient/x"),
        ("PATCH", "/fhir/Observation/x"),
        ("GET", "/fhir/Claim"),
        ("GET", "/fhir/Patient"),
        ("GET", "/fhir/Patient/x"),
        ("GET", "/fhir/Patient/x/$everything"),
        ("GET", "/fhir/Observation/x/_history"),
        ("POST", "/records/import"),
        ("POST", "/records/relations"),
        ("GET", "/records/events"),
        ("GET", "/records/events/dead"),
    ],
)
async def test_nothing_else_is_opened_by_a_services_own_token(billed: Door, method, path):
    token = await tokens_of(billed).for_documents()
    kind = path.removeprefix("/fhir/").partition("/")[0]
    headers = {"authorization": f"Bearer {token}", "content-type": FHIR}
    if method == "PATCH":
        headers["content-type"] = "application/json-patch+json"
    body = b"[]" if method == "PATCH" else b'{"resourceType": "%s"}' % kind.encode()
    content = body if method in ("POST", "PUT", "PATCH") else None
    answer = await billed.client.request(method, path, headers=headers, content=content)
    assert answer.status_code == 403, (answer.status_code, answer.text)


async def test_a_transaction_is_refused_for_one_entry_that_is_not_declared(billed: Door):
    made = await billed.make(patient())
    token = await tokens_of(billed).for_documents()
    subject = f"Patient/{made['id']}"
    mixed = bundle("transaction", put(claim(subject, id="bill-9")), put(made))
    answer = await ask(billed, "POST", "/fhir", token, json=mixed)
    assert answer.status_code == 403
    assert issues_of(answer)
    assert await billed.sql("SELECT FROM records.resource WHERE id = 'bill-9'") == []


async def test_what_a_service_reads_it_may_not_change(billed: Door):
    made = await billed.make(patient())
    cover = {
        "resourceType": "Coverage",
        "status": "active",
        "beneficiary": {"reference": f"Patient/{made['id']}"},
        "payor": [{"display": "The payer"}],
    }
    cover = await billed.make(cover)
    token = await tokens_of(billed).for_documents()
    path = f"/fhir/Coverage/{cover['id']}"
    assert (await ask(billed, "GET", path, token)).status_code == 200
    found = await ask(billed, "GET", f"/fhir/Coverage?beneficiary={made['id']}", token)
    assert len(found.json()["entry"]) == 1
    assert (await ask(billed, "PUT", path, token, json=cover)).status_code == 403


@pytest.mark.parametrize(
    "scope",
    [
        "system/Claim.cruds",
        "system/Claim.write",
        "system/Patient.rs",
        "system/Coverage.cru",
        "system/*.cru",
        "system/*.rs",
        "system/identity.accounts",
        "user/Claim.cru",
    ],
)
async def test_identity_gives_a_service_no_more_than_it_declares(billed: Door, scope):
    proof = jose.assertion(
        billed.root.derive("client|billing"),
        issuer="billing",
        audience="urn:polyclinic",
        now=int(time.time()),
    )
    form = {
        "grant_type": "client_credentials",
        "scope": f"system/Claim.cru {scope}",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": proof,
    }
    answer = await billed.client.post(f"{BASE}/identity/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_the_token_that_every_feed_sees_opens_no_document(billed: Door):
    tokens = tokens_of(billed)
    feed = await tokens.get()
    assert feed != await tokens.for_documents()
    assert (await ask(billed, "GET", "/records/events", feed)).status_code == 200
    for method, path in (("POST", "/fhir/Claim"), ("GET", "/fhir/Coverage")):
        answer = await ask(billed, method, path, feed, json={"resourceType": "Claim"})
        assert answer.status_code == 403


async def test_a_service_that_declares_nothing_has_no_documents(billed: Door):
    with pytest.raises(Forbidden):
        await tokens_of(billed, ()).for_documents()


def test_services_publish_only_what_others_keep():
    for service in services.SERVICES:
        declared = {*service.writes, *service.reads}
        assert declared <= set(resource_types()), service.name
        assert not declared & set(service.owns), service.name
