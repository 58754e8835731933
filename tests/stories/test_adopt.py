"""A service added later takes over what records kept of its types: all of it, once, as it was."""

import copy
from datetime import timedelta

import msgspec
import pytest
from adopting_clinic import (
    BEFORE,
    BILLS,
    House,
    account,
    charge,
    everything,
    fill_bills,
    kinds_in,
    plainly,
)
from test_subsets import WEEK

from polyclinic.cli.adopting import DigestsDiffer, NotInstalled, Stopped, adopt
from polyclinic.cli.operator import Operator
from polyclinic.fhirserver.adoption.moving import Moved, digest
from polyclinic.foundation import clock
from polyclinic.foundation.errors import Invalid
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.definitions import type_number

WITH_BILLING = (*BEFORE, "billing")
_NUMBERS = [type_number(kind) for kind in BILLS]


@pytest.fixture
async def house(new_database, key_file, root_key):
    return House(await new_database(), key_file, root_key)


def operator(now):
    return Operator("http://127.0.0.1:8080", now.root.derive("operator"), now.transport)


@pytest.fixture(autouse=True)
def reports(tmp_path, monkeypatch):
    """Lists of what stays are written where the operator stands."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def adopted(now, name="billing", *, dry_run=False):
    return await adopt(operator(now), name, dry_run=dry_run)


async def test_what_records_kept_is_seen_at_billing_as_it_was(house, capsys):
    async with house.with_services(*BEFORE) as now:
        await fill_bills(now)
        before = await now.seen(everything())
        counts = await now.ask("GET", f"/records/adoptable?types={','.join(BILLS)}")
    assert before["/fhir/ChargeItem/c0"][0] == 200
    assert before["/fhir/ChargeItem/c2"][0] == 410
    assert counts["types"]["ChargeItem"] == {"resources": 6, "versions": 11, "owner": None}
    async with house.with_services(*WITH_BILLING) as now:
        for path, (status, text, _) in (await now.seen(plainly())).items():
            assert not kinds_in(text) & set(BILLS), path
            assert status == 404 or "?" in path or "Item" in path or "_history" in path, path
        assert await adopted(now) == 0
        said = capsys.readouterr().out
        assert "the same on both sides" in said
        after = await now.seen(everything())
        for path, answer in before.items():
            assert after[path] == answer, path
        left = await now.ask("GET", f"/records/adoptable?types={','.join(BILLS)}")
        assert not any(each["resources"] for each in left["types"].values())
        assert await adopted(now) == 0
        assert "Nothing to adopt" in capsys.readouterr().out


@pytest.fixture
async def filled(house):
    """The clinic has just added billing, and nothing is adopted yet."""
    async with house.with_services(*BEFORE) as now:
        await fill_bills(now)
        house.before = await now.seen(everything())
    return house


async def is_all_there(house, now):
    after = await now.seen(everything())
    for path, answer in house.before.items():
        assert after[path] == answer, path


async def rest(now):
    """How many resources records still has of billing's types."""
    found = await now.ask("GET", f"/records/adoptable?types={','.join(BILLS)}")
    return sum(each["resources"] for each in found["types"].values())


async def page(now, kind, bodies="yes"):
    path = f"/records/adoptable/{kind}?after=-1&bodies={bodies}"
    return (await now.ask("GET", path))["resources"]


async def sql(now, query, *values, service="records"):
    return await now.process.running[service].database.fetch(query, *values)


async def test_a_dry_run_says_what_would_move_and_moves_nothing(filled, capsys):
    async with filled.with_services(*WITH_BILLING) as now:
        assert await adopted(now, dry_run=True) == 0
        assert "would move                      12 resources" in capsys.readouterr().out
        assert await rest(now) == 12
        assert (await now.send("GET", "/fhir/ChargeItem/c0")).status_code == 404


async def test_an_adoption_that_ends_between_any_two_requests_is_finished_by_another(filled):
    async with filled.with_services(*WITH_BILLING) as now:
        charges = await page(now, "ChargeItem")
        # Copied, and the answer lost.
        await now.ask("POST", "/billing/adopt", {"resources": charges[:4]})
        again = await now.ask("POST", "/billing/adopt", {"resources": [*charges[:4], charges[0]]})
        assert (again["adopted"], again["already"]) == (0, 5)
        # Proven and let go in part, and the answer lost.
        names = [{n: each[n] for n in ("type", "id", "count")} for each in charges[:2]]
        proven = await now.ask("POST", "/billing/adopted", {"resources": names})
        assert [x["digest"] for x in proven["resources"]] == [x["digest"] for x in charges[:2]]
        assert await now.ask("POST", "/records/let-go", proven) == {
            "let_go": 2, "gone": 0, "kept": []
        }  # fmt: skip
        assert (await now.ask("POST", "/records/let-go", proven))["gone"] == 2
    async with filled.with_services(*WITH_BILLING) as now:
        assert await rest(now) == 10
        assert await adopted(now) == 0
        await is_all_there(filled, now)
        assert await rest(now) == 0


async def test_what_the_owner_changed_meanwhile_is_still_what_was_adopted(filled):
    async with filled.with_services(*WITH_BILLING) as now:
        accounts = await page(now, "Account")
        await now.ask("POST", "/billing/adopt", {"resources": accounts})
        books = now.process.running["billing"].state
        async with books.running.database.transaction() as tx:
            await books.put(tx, books.own(), [account("keller", status="inactive")])
        assert await adopted(now) == 0
        found = await now.send("GET", "/fhir/Account/of-keller")
        assert (found.json()["status"], found.headers["etag"]) == ("inactive", 'W/"2"')
        past = await now.send("GET", "/fhir/Account/of-keller/_history/1")
        assert past.text == filled.before["/fhir/Account/of-keller"][1]


async def test_records_forgets_what_it_let_go_and_keeps_who_looked_at_it(filled):
    async with filled.with_services(*WITH_BILLING) as now:
        (looks,) = await sql(now, "SELECT count(*) FROM access_log WHERE action IN ('r', 'c')")
        pids = [
            row["pid"]
            for row in await sql(now, "SELECT pid FROM resource WHERE type = ANY ($1)", _NUMBERS)
        ]
        assert await adopted(now) == 0
        for query in (
            "SELECT FROM resource WHERE pid = ANY ($1)",
            "SELECT FROM version WHERE pid = ANY ($1)",
            "SELECT FROM posting WHERE pid = ANY ($1)",
            "SELECT FROM date_range WHERE pid = ANY ($1)",
            "SELECT FROM number_range WHERE pid = ANY ($1)",
        ):
            assert not await sql(now, query, pids), query
        assert not await sql(now, "SELECT FROM shared_key")
        (after,) = await sql(now, "SELECT count(*) FROM access_log WHERE action IN ('r', 'c')")
        assert after == looks
        assert (await now.send("GET", "/fhir/Patient/keller")).status_code == 200


async def test_a_move_is_logged_once_a_patient_and_announced_to_nobody(filled):
    asked = """SELECT action::text AS deed, type, patient, count FROM access_log
               WHERE action = ANY ($1::"char"[]) AND patient IS NOT NULL AND type = $2"""
    events = "SELECT count(*) FROM feed_entry WHERE subject LIKE 'ChargeItem/%'"
    async with filled.with_services(*WITH_BILLING) as now:
        (before,) = await sql(now, events)
        assert await adopted(now) == 0
        number = _NUMBERS[BILLS.index("ChargeItem")]
        out = await sql(now, asked, [b"e", b"m"], number)
        # Two patients, three resources each, and one that was both's: handed out, then let go.
        assert sorted((row["deed"], row["count"]) for row in out) == [
            ("e", 3), ("e", 4), ("m", 3), ("m", 4)
        ]  # fmt: skip
        taken = await sql(now, asked, [b"a"], number, service="billing")
        assert sorted(row["count"] for row in taken) == [3, 4]
        assert await sql(now, events) == [before]
        assert not await sql(now, "SELECT FROM outbox", service="billing")
        assert not await sql(now, "SELECT FROM feed_entry", service="billing")


async def test_another_resource_of_the_same_id_is_named_and_stays_with_records(filled, capsys):
    async with filled.with_services(*WITH_BILLING) as now:
        (other,) = [each for each in await page(now, "ChargeItem") if each["id"] == "c4"]
        mine = copy.deepcopy(other)
        mine["versions"][0]["body"]["status"] = "planned"
        mine["digest"] = _proof(mine)
        kept = await now.ask("POST", "/billing/adopt", {"resources": [mine]})
        assert kept["adopted"] == 1
        assert await adopted(now) == 1
        said = capsys.readouterr().out
        assert "ChargeItem/c4: One of this id is there already, and it is not the same." in said
        assert "stay with records                1 resources" in said
        assert [each["id"] for each in await page(now, "ChargeItem")] == ["c4"]
        assert (await now.send("GET", "/fhir/ChargeItem/c4")).json()["status"] == "planned"
        assert (await now.send("GET", "/fhir/ChargeItem/c5")).status_code == 200
        # As often as it is asked.
        assert await adopted(now) == 1


async def test_what_does_not_open_is_named_and_the_rest_moves(filled, capsys):
    async with filled.with_services(*WITH_BILLING) as now:
        await sql(now, "UPDATE resource SET envelope = '\\x4850' || envelope WHERE id = 'c0'")
        third = "SELECT pid FROM resource WHERE id = 'c3'"
        await sql(now, f"DELETE FROM version WHERE version = 2 AND pid = ({third})")
        assert await adopted(now) == 1
        said = capsys.readouterr().out
        assert "ChargeItem/c0: A version of it does not open." in said
        assert "ChargeItem/c3: Not all of its versions can be read." in said
        assert await rest(now) == 2
        past = await now.send("GET", "/fhir/ChargeItem/c1/_history")
        assert len(past.json()["entry"]) == 3


FLAWS = (
    ("changed on its way", lambda each: each["versions"][0]["body"].update(status="unknown")),
    ("do not follow each other", lambda each: each["versions"].pop(0)),
    ("neither a content nor a deletion", lambda each: each["versions"][0].update(method="D")),
    ("says that it is another one", lambda each: each["versions"][0]["body"].update(id="c9")),
    ("begins with a deletion", lambda each: each["versions"][0].update(method="D", body=None)),
)


@pytest.mark.parametrize(("text", "spoil"), FLAWS, ids=[text for text, _ in FLAWS])
async def test_what_no_store_of_ours_can_have_written_is_not_taken_in(filled, text, spoil):
    async with filled.with_services(*WITH_BILLING) as now:
        (each,) = [each for each in await page(now, "ChargeItem") if each["id"] == "c1"]
        before = each["digest"]
        spoil(each)
        each["count"] = len(each["versions"])
        each["digest"] = before if "on its way" in text else _proof(each)
        done = await now.ask("POST", "/billing/adopt", {"resources": [each]})
        assert done["adopted"] == 0
        assert text in done["left"][0]["reason"]


async def test_records_lets_nothing_go_that_its_owner_has_not_proven(filled):
    async with filled.with_services(*WITH_BILLING) as now:
        (each, *_) = await page(now, "ChargeItem")
        wrong = {**{n: each[n] for n in ("type", "id", "count")}, "digest": "0" * 64}
        done = await now.ask("POST", "/records/let-go", {"resources": [wrong]})
        assert done["let_go"] == 0
        assert done["kept"][0]["reason"] == "It is not the same here and with its owner."
        assert await rest(now) == 12


async def test_an_owner_that_reads_back_something_else_stops_the_move(filled, monkeypatch):
    async def broken(*_):
        return []

    async with filled.with_services(*WITH_BILLING) as now:
        monkeypatch.setattr("polyclinic.fhirserver.adoption.arriving.digests", broken)
        with pytest.raises(DigestsDiffer, match="let go of nothing"):
            await adopted(now)
        assert await rest(now) == 12


async def test_a_type_that_records_serves_itself_leaves_it_to_nobody(filled):
    async with filled.with_services(*BEFORE) as now:
        with pytest.raises(NotInstalled, match="not part of this installation"):
            await adopted(now)
        name = {"type": "ChargeItem", "id": "c0", "count": 1, "digest": ""}
        for method, path, value in (
            ("GET", "/records/adoptable/ChargeItem", None),
            ("POST", "/records/let-go", {"resources": [name]}),
        ):
            answer = await now.client.request(method, path, headers=now.headers, json=value)
            assert answer.status_code == 409, answer.text
    async with filled.with_services("identity", "billing") as now:
        with pytest.raises(NotInstalled, match="no records service"):
            await adopted(now)
    async with filled.with_services(*WITH_BILLING) as now:
        with pytest.raises(Invalid, match="There is no service 'bills'"):
            await adopted(now, "bills")
        assert await adopted(now, "identity") == 0
        foreign = {"resources": [{"type": "Patient", "id": "keller", "count": 1}]}
        for door in ("adopt", "adopted"):
            answer = await now.client.post(f"/billing/{door}", headers=now.headers, json=foreign)
            assert answer.status_code == 400


async def test_only_an_operator_moves_anything(filled):
    async with filled.with_services(*WITH_BILLING) as now:
        narrow = await operator(now).token("narrow", "system/ChargeItem.cruds")
        for headers, status in (({}, 401), ({"authorization": f"Bearer {narrow}"}, 403)):
            for method, path in (
                ("GET", "/records/adoptable?types=ChargeItem"),
                ("GET", "/records/adoptable/ChargeItem"),
                ("POST", "/records/let-go"),
                ("POST", "/billing/adopt"),
                ("POST", "/billing/adopted"),
            ):
                body = {"resources": []} if method == "POST" else None
                answer = await now.client.request(method, path, headers=headers, json=body)
                assert answer.status_code == status, path


async def test_a_refusal_stops_the_move_with_its_reason(filled, monkeypatch):
    monkeypatch.setattr("polyclinic.fhirserver.adoption.door.BATCH_MAX", 1)
    async with filled.with_services(*WITH_BILLING) as now:
        with pytest.raises(Stopped, match="At most 1 resources at once"):
            await adopted(now)


async def test_an_adopted_charge_is_history_and_owes_nobody_anything(filled):
    async with filled.with_services(*WITH_BILLING) as now:
        assert await adopted(now) == 0
        for table in ("ledger_entry", "visit", "charge"):
            assert not await sql(now, f"SELECT FROM billing.{table}", service="billing")
        changed = await now.send("PUT", "/fhir/ChargeItem/c0", charge("c0", "ortiz", "D9"))
        assert changed.status_code == 422
        assert (await now.send("DELETE", "/fhir/Invoice/i1")).status_code == 405
        owed = await now.ask("GET", "/billing/owed?patient=Patient/ortiz")
        assert (owed["owed"], owed["lines"]) == (0, [])


def appointment(name, status, start, **more):
    people = ("Patient/keller", "Practitioner/ana")
    return {
        "resourceType": "Appointment",
        "id": name,
        "status": status,
        "participant": [{"actor": {"reference": each}, "status": "accepted"} for each in people],
        **({"start": start, "end": start.replace(":00:00", ":20:00")} if start else {}),
        **more,
    }


async def test_appointments_takes_what_is_over_and_names_what_is_still_to_come(house, capsys):
    soon = f"{clock.today() + timedelta(days=20)}T10:00:00Z"
    async with house.with_services(*BEFORE) as now:
        for kind, name in (("Patient", "keller"), ("Practitioner", "ana")):
            await now.put({"resourceType": kind, "id": name})
        await now.put(appointment("past", "booked", "2024-05-06T10:00:00Z"))
        await now.put(appointment("past", "fulfilled", "2024-05-06T10:00:00Z"))
        await now.put(appointment("off", "cancelled", soon))
        await now.put(appointment("next", "booked", soon))
        await now.put(appointment("wish", "proposed", None))
        answer = {"id": "r1", "appointment": {"reference": "Appointment/past"}}
        answer |= {"actor": {"reference": "Patient/keller"}, "participantStatus": "accepted"}
        await now.put({"resourceType": "AppointmentResponse", **answer})
        schedule = {"resourceType": "Schedule", "id": "s1", "actor": [{"display": "Ana"}]}
        await now.put(schedule)
        slot = {"id": "t1", "schedule": {"reference": "Schedule/s1"}, "status": "free"}
        slot |= {"start": soon, "end": soon.replace(":00:00", ":20:00")}
        await now.put({"resourceType": "Slot", **slot})
        paths = [
            "/fhir/Appointment/past", "/fhir/Appointment/past/_history", "/fhir/Appointment/off",
            "/fhir/AppointmentResponse/r1", "/fhir/Appointment?status=fulfilled",
        ]  # fmt: skip
        before = await now.seen(paths)
    async with house.with_services(*BEFORE, "appointments") as now:
        await now.ask("PUT", "/appointments/setup", WEEK)
        assert await adopted(now, "appointments", dry_run=True) == 1
        assert await adopted(now, "appointments") == 1
        said = capsys.readouterr().out
        for text in (
            "Appointment/next: It is booked and not over: book it in appointments",
            "Appointment/wish: It is proposed and not over",
            "Schedule/s1: Schedules are made from the clinic's set-up.",
            "Slot/t1: Slots are computed",
            "adopted                          3 resources",
        ):
            assert text in said, said
        assert await now.seen(paths) == before
        assert (await now.send("GET", "/fhir/Appointment/next")).status_code == 404
        asked = {
            "patient": "Patient/keller", "practitioner": "Practitioner/ana",
            "visit_type": "visit", "start": _monday(),
        }  # fmt: skip
        headers = {**now.headers, "idempotency-key": "booked"}
        booked = await now.client.post("/appointments/bookings", headers=headers, json=asked)
        assert booked.status_code == 201, booked.text


def _monday():
    return f"{clock.today() + timedelta(days=14 - clock.today().weekday())}T09:00:00Z"


def _proof(value):
    """The digest of a resource as somebody wrote it."""
    return digest(msgspec.json.decode(codec.encode(value), type=Moved).documents())
