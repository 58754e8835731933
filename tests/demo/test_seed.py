"""The seed against a platform that keeps the three contracts it speaks, over httpx's transport."""

import hashlib
import json
from datetime import date

import httpx
import pytest

from polyclinic.demo import stay
from polyclinic.demo.fixture import bundles
from polyclinic.demo.people import sign_ins
from polyclinic.demo.seed import NotSeeded, seed
from polyclinic.foundation import clock
from polyclinic.services.billing.settings import BillingSettings


class Platform:
    """The import ledger, the relation table and the accounts, as their contracts say."""

    def __init__(self):
        self.ledger: set[str] = set()
        self.kept: set[str] = set()  # what was put under a name of its own
        self.relations: set[tuple[str, str]] = set()
        self.accounts: dict[str, dict] = {}
        self.fails: dict[str, list[httpx.Response]] = {}

    def __call__(self, request):
        path = request.url.path
        if path.startswith(("/appointments/", "/billing/", "/integration/")):
            return httpx.Response(404)  # this platform has no appointments and no billing
        assert request.headers["authorization"] == "Bearer a-token"
        if self.fails.get(path):
            return self.fails[path].pop(0)
        if request.method == "GET":
            return httpx.Response(200 if path.removeprefix("/fhir/") in self.kept else 404)
        body = json.loads(request.content)
        return {
            "/records/import": self.take_bundle,
            "/records/relations": self.take_relations,
            "/identity/operator/accounts": self.take_accounts,
        }[path](request, body)

    def take_bundle(self, request, body):
        assert request.headers["content-type"] == "application/fhir+json"
        digest = request.headers["x-content-hash"]
        assert digest == hashlib.sha256(request.content).hexdigest()
        assert request.headers["x-source"]
        status = "already" if digest in self.ledger else "imported"
        self.ledger.add(digest)
        asked = (entry["request"] for entry in body["entry"])
        self.kept |= {each["url"] for each in asked if each["method"] == "PUT"}
        answer = {"status": status, "resources": len(body["entry"]), "refused": []}
        return httpx.Response(200, json=answer)

    def take_relations(self, request, body):
        self.relations |= {(r["practitioner"], r["patient"]) for r in body["relations"]}
        return httpx.Response(200, json={"relations": len(body["relations"])})

    def take_accounts(self, request, body):
        for account in body["accounts"]:
            self.accounts.setdefault(account["user"], account)
        return httpx.Response(200, json={"accounts": []})


async def run(platform):
    steps = []

    async def token():
        return "a-token"

    transport = httpx.MockTransport(platform)
    async with httpx.AsyncClient(transport=transport, base_url="http://clinic") as client:
        result = await seed(client, token, lambda done, total, what: steps.append((done, total)))
    return result, steps


async def test_the_whole_clinic_arrives_and_progress_ends_at_the_end():
    platform = Platform()
    result, steps = await run(platform)
    assert len(platform.ledger) == len(bundles()) + 1, "the charts, and a stay written by hand"
    assert result.resources > 5_000
    assert result.relations == len(platform.relations)
    assert platform.accounts.keys() == {sign_in.user for sign_in in sign_ins()}
    assert [done for done, _ in steps] == list(range(len(bundles()) + 3))
    assert steps[-1][0] == steps[-1][1]


async def test_a_second_seed_changes_nothing():
    platform = Platform()
    await run(platform)
    before = (set(platform.ledger), set(platform.relations), dict(platform.accounts))
    result, _ = await run(platform)
    assert result.resources == 0
    assert (platform.ledger, platform.relations, platform.accounts) == before


async def test_an_interrupted_seed_goes_on_where_it_stopped():
    platform = Platform()
    platform.fails["/records/relations"] = [httpx.Response(500, text="it broke")]
    with pytest.raises(NotSeeded, match="/records/relations answered 500: it broke"):
        await run(platform)
    assert platform.accounts == {}
    result, _ = await run(platform)
    assert result.resources == 0
    assert len(platform.accounts) == len(sign_ins())


async def test_a_busy_platform_is_asked_again():
    platform = Platform()
    busy = httpx.Response(503, headers={"retry-after": "0"})
    platform.fails["/records/import"] = [busy, busy]
    await run(platform)
    assert len(platform.ledger) == len(bundles()) + 1, "the charts, and a stay written by hand"


async def test_a_stay_that_cannot_be_looked_for_now_is_looked_for_again():
    platform = Platform()
    path = f"/fhir/Encounter/{stay.ID}"
    platform.fails[path] = [httpx.Response(503, headers={"retry-after": "0"})]
    await run(platform)
    assert path.removeprefix("/fhir/") in platform.kept
    platform.fails[path] = [httpx.Response(500, text="it broke")]
    with pytest.raises(NotSeeded, match=f"{path} answered 500: it broke"):
        await run(platform)


async def test_a_refused_bundle_is_reported_with_the_reason():
    platform = Platform()
    refusal = {"status": "refused", "resources": 0, "refused": [{"reason": "Patient.birthDate"}]}
    platform.fails["/records/import"] = [httpx.Response(200, json=refusal)]
    with pytest.raises(NotSeeded, match=r"zst#1 .*Patient\.birthDate"):
        await run(platform)


async def test_the_channels_of_the_demo_clinic_make_of_their_fixtures_what_they_say():
    from polyclinic.demo.channels import texts
    from polyclinic.services.integration.domain.channels import read
    from polyclinic.services.integration.domain.fixtures import failures
    from polyclinic.services.integration.domain.mapping import translate

    assert texts()
    for text in texts():
        assert failures(read(text), translate) == []


async def test_days_in_hospital_stay_what_they_were_when_it_is_seeded_again_later(monkeypatch):
    platform = Platform()
    await run(platform)
    before = set(platform.ledger)
    monkeypatch.setattr(clock, "today", lambda: date(2031, 5, 5))
    await run(platform)
    assert platform.ledger == before


def test_days_in_hospital_ended_within_a_month_and_began_before_what_billing_looks_at():
    [entry] = json.loads(stay.bundle(date(2026, 11, 29)))["entry"]
    assert entry["resource"]["period"] == {
        "start": "2026-10-28T14:30:00+00:00",
        "end": "2026-11-09T15:00:00+00:00",
    }
    assert BillingSettings().encounter_days < stay.CAME_DAYS
    assert stay.WENT_DAYS < 30
