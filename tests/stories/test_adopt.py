"""A service added later takes over what records kept of its types: all of it, once, as it was."""

import pytest
from adopting_clinic import BEFORE, BILLS, House, everything, fill_bills, kinds_in, plainly

from polyclinic.cli.adopting import adopt
from polyclinic.cli.operator import Operator

WITH_BILLING = (*BEFORE, "billing")


@pytest.fixture
async def house(new_database, key_file, root_key):
    return House(await new_database(), key_file, root_key)


def operator(now):
    return Operator("http://127.0.0.1:8080", now.root.derive("operator"), now.transport)


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
