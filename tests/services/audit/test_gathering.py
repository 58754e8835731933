"""Every row that a service logs becomes one leaf, in order, and the tree proves it."""

import asyncio
import json

from audit_house import TRAILS, body_of

from polyclinic.services.audit.actions import gathering, signing
from polyclinic.services.audit.jobs import gather
from polyclinic.standards.transparency import merkle
from polyclinic.standards.transparency.note import Checkpoint, notes_of, open_note

ADA = {"resourceType": "Patient", "id": "ada", "name": [{"family": "Okafor"}]}


async def test_every_row_of_every_service_becomes_one_leaf_in_the_order_of_its_trail(house):
    await house.token(TRAILS, "prover")  # signing in leaves a row, too
    await house.put(ADA)
    await house.look("Patient/ada", 5)
    size = await house.gathered()
    leaves = await house.entries()
    assert [each["seq"] for each in leaves] == list(range(size)), "numbers without gaps"
    for source, table in (
        ("records.access", "records.access_log"),
        ("identity.security", "identity.security_event"),
        ("billing.access", "billing.access_log"),
    ):
        kept = [tuple(map(int, e["spot"].split("."))) for e in leaves if e["source"] == source]
        rows = await house.sql(f"SELECT tx, position FROM {table} ORDER BY tx, position")
        assert kept == [(1, row["tx"], row["position"]) for row in rows]
    assert {each["source"] for each in leaves} >= {"records.access", "identity.security"}


async def test_a_leaf_is_the_hash_of_what_the_row_says_and_says_no_more_than_the_log(house):
    await house.gathered()
    leaf = next(e for e in await house.entries() if e["source"] == "records.access")
    assert merkle.leaf_hash(body_of(leaf)).hex() == leaf["leaf"]
    said = json.loads(body_of(leaf))
    assert list(said) == sorted(said)
    assert set(said) == {
        "action", "actor", "at", "client", "count", "generation", "id", "outcome", "patient",
        "position", "request", "source", "tx", "type",
    }  # fmt: skip


async def test_gathering_again_adds_nothing(house):
    before = await house.gathered()
    assert await gathering.gather(house.running.state) == 0
    assert await house.gathered() == before


async def test_under_steady_load_gathering_leaves_what_is_new_to_the_clock(house):
    """It went round without a pause as long as there was any new row, which is always."""
    engine = house.running.state
    trails, engine.trails = engine.trails, Steady(engine.trails, house)
    try:
        async with asyncio.timeout(60):
            await gather(house.running)
    finally:
        engine.trails = trails


class Steady:
    """The trails of services that are asked something in each turn."""

    def __init__(self, trails, house):
        self.trails, self.house = trails, house

    def services(self):
        return self.trails.services()

    async def named(self, service):
        return await self.trails.named(service)

    async def page(self, service, trail, after):
        if (service, trail) == ("records", "access"):
            await self.house.look("Patient/ada")
        return await self.trails.page(service, trail, after)


async def test_checkpoints_are_signed_once_for_each_growth_and_stand_in_the_anchor_file(house):
    await house.look("Patient/ada")
    size = await house.gathered()
    assert await signing.sign(house.running.state) is None
    verifier = house.running.state.signer.verifier
    notes = notes_of(house.anchors.read_text())
    last = Checkpoint.read(open_note(notes[-1], [verifier]))
    assert last.size == size
    leaves = [bytes.fromhex(each["leaf"]) for each in await house.entries()]
    assert last.root == merkle.root_of(leaves)
    told = await house.get("/audit/checkpoints")
    assert [each["note"] for each in told["checkpoints"]] == notes


async def test_proofs_at_the_door_are_accepted_by_whoever_checks_them(house):
    await house.look("Patient/ada", 300)
    size = await house.gathered()
    leaves = await house.entries()
    assert size > 256, "so that nodes are kept"
    assert await house.sql("SELECT 1 FROM audit.node")
    for seq in (0, 1, 255, 256, size - 1):
        told = await house.proven(f"/audit/proofs/inclusion?seq={seq}&size={size}")
        proof, root = [bytes.fromhex(h) for h in told["proof"]], bytes.fromhex(told["root"])
        merkle.check_inclusion(bytes.fromhex(leaves[seq]["leaf"]), seq, size, proof, root)
    hashes = [bytes.fromhex(each["leaf"]) for each in leaves]
    for old in (1, 2, 200, 256, 257, size):
        told = await house.get(f"/audit/proofs/consistency?from={old}&size={size}")
        proof, root = [bytes.fromhex(h) for h in told["proof"]], bytes.fromhex(told["root"])
        assert root == merkle.root_of(hashes)
        merkle.check_consistency(old, size, proof, merkle.root_of(hashes[:old]), root)


async def test_what_cannot_be_proven_is_refused_by_name(house):
    size = await house.gathered()
    for path, status in (
        (f"/audit/proofs/inclusion?seq={size}&size={size}", 400),
        (f"/audit/proofs/inclusion?seq=0&size={size + 9999}", 404),
        ("/audit/proofs/consistency?from=0&size=3", 400),
        ("/audit/entries?after=x", 400),
        ("/audit/entries?source=records.access&after=1.2", 400),
        ("/audit/entries?before=1", 400),
        ("/records/trails/access?limit=0", 400),
    ):
        answer = await house.send("GET", path, token=await house.token(TRAILS, "prover"))
        assert answer.status_code == status, (path, answer.text)


async def test_trails_and_leaves_take_the_scope_of_a_prover(house):
    for path in ("/records/trails", "/records/trails/access", "/audit/entries", "/audit/nodes"):
        assert (await house.client.get(path)).status_code == 401, path
        assert (await house.send("GET", path)).status_code == 403, path
    assert (await house.client.get("/audit/key")).status_code == 200
    assert (await house.client.get("/audit/checkpoints")).status_code == 200


async def test_reading_a_trail_logs_nothing(house):
    """Else gathering would never come to an end."""
    await house.gathered()
    count = "SELECT count(*) AS n FROM records.access_log"
    before = await house.sql(count)
    await house.proven("/records/trails/access")
    assert await house.sql(count) == before
