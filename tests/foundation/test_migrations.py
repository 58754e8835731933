"""Steps are applied once, in order, as the service's own role; newer data is refused."""

import asyncio
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest

from polyclinic.foundation.migrations import NewerData, OtherKey, migrate
from polyclinic.foundation.starting import CannotStart

PASSWORD = "ab" * 32


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return folder(tmp_path, "fhirserver", "CREATE TABLE resource (id text PRIMARY KEY)")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    # References the mounted table, so it can only be applied after it.
    return folder(
        tmp_path,
        "loans",
        "CREATE TABLE item (id text REFERENCES resource)",
        "ALTER TABLE item ADD due date",
    )


def folder(base: Path, name: str, *steps: str) -> Path:
    schema = base / name / "schema"
    schema.mkdir(parents=True)
    for number, sql in enumerate(steps, start=1):
        (schema / f"{number:04}_step.sql").write_text(sql)
    return schema


def as_role(url: str, role: str, password: str) -> str:
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password)}@{where}"))


async def ask(url: str, query: str, *values: object) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


async def test_mounted_steps_come_first_and_each_folder_has_its_version(new_database, shared, own):
    url = await new_database()
    await migrate(url, "loans", PASSWORD, [shared, own])
    versions = await ask(
        url, "SELECT jsonb_object_agg(folder, version)::text FROM loans.schema_version"
    )
    assert versions == '{"loans": 2, "fhirserver": 1}'


async def test_a_second_run_changes_nothing_and_a_new_step_is_added(new_database, shared, own):
    url = await new_database()
    await migrate(url, "loans", PASSWORD, [shared, own])
    await ask(url, "INSERT INTO loans.resource VALUES ('kept')")
    (own / "0003_note.sql").write_text("ALTER TABLE item ADD note text")
    await migrate(url, "loans", PASSWORD, [shared, own])
    await migrate(url, "loans", PASSWORD, [shared, own])
    assert await ask(url, "SELECT count(*) FROM loans.resource") == 1
    assert await ask(url, "SELECT version FROM loans.schema_version WHERE folder = 'loans'") == 3


async def test_data_of_a_newer_release_is_refused_before_anything_is_changed(
    new_database, shared, own
):
    url = await new_database()
    await migrate(url, "loans", PASSWORD, [shared, own])
    (own / "0002_step.sql").unlink()
    (shared / "0002_more.sql").write_text("CREATE TABLE must_not_appear ()")
    with pytest.raises(NewerData, match="step 2 of loans, and this release knows 1"):
        await migrate(url, "loans", PASSWORD, [shared, own])
    assert await ask(url, "SELECT to_regclass('loans.must_not_appear')") is None


async def test_a_step_that_fails_leaves_nothing_behind(new_database, own, shared):
    url = await new_database()
    (own / "0003_broken.sql").write_text("CREATE TABLE half (); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url, "loans", PASSWORD, [shared, own])
    assert await ask(url, "SELECT to_regclass('loans.half')") is None
    assert await ask(url, "SELECT version FROM loans.schema_version WHERE folder = 'loans'") == 2


async def test_replicas_that_start_together_apply_each_step_once(new_database, shared, own):
    url = await new_database()
    await asyncio.gather(*(migrate(url, "loans", PASSWORD, [shared, own]) for _ in range(6)))
    assert await ask(url, "SELECT version FROM loans.schema_version WHERE folder = 'loans'") == 2


async def test_two_databases_of_a_cluster_may_create_the_same_role_at_once(new_database, shared):
    urls = [await new_database() for _ in range(3)]
    await asyncio.gather(*(migrate(url, "lending", PASSWORD, [shared]) for url in urls))
    for url in urls:
        assert await ask(as_role(url, "lending", PASSWORD), "SELECT current_user") == "lending"


async def test_a_service_owns_its_schema_and_sees_no_other(new_database, shared, own):
    url = await new_database()
    await migrate(url, "loans", PASSWORD, [shared, own])
    await migrate(url, "lending", PASSWORD, [shared])
    mine = as_role(url, "loans", PASSWORD)
    assert await ask(mine, "SELECT count(*) FROM item") == 0
    assert await ask(mine, "SELECT tableowner FROM pg_tables WHERE tablename = 'item'") == "loans"
    for forbidden in ("SELECT count(*) FROM lending.resource", "CREATE TABLE public.x ()"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(mine, forbidden)


async def test_a_changed_password_takes_the_place_of_the_old_one(new_database, shared):
    url = await new_database()
    await migrate(url, "lending", "old" * 10, [shared])
    await migrate(url, "lending", PASSWORD, [shared])
    assert await ask(as_role(url, "lending", PASSWORD), "SELECT 1") == 1
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(as_role(url, "lending", "old" * 10), "SELECT 1")


async def test_under_another_root_key_nothing_is_touched(new_database, own, shared):
    """It once took the role's password from who was right, and sealed by the wrong key."""
    url = await new_database()
    await migrate(url, "lending", PASSWORD, [shared], "right")
    await migrate(url, "lending", PASSWORD, [shared], "right")
    with pytest.raises(OtherKey, match="under the root key right, and this one is wrong"):
        await migrate(url, "lending", "cd" * 32, [shared, own], "wrong")
    assert await ask(as_role(url, "lending", PASSWORD), "SELECT 1") == 1
    assert await ask(url, "SELECT to_regclass('lending.item')") is None


async def test_an_operators_own_words_about_a_schema_are_no_key(new_database, shared):
    url = await new_database()
    await migrate(url, "lending", PASSWORD, [shared])
    await ask(url, "COMMENT ON SCHEMA lending IS 'of the library'")
    await migrate(url, "lending", PASSWORD, [shared], "right")
    with pytest.raises(OtherKey):
        await migrate(url, "lending", PASSWORD, [shared], "wrong")


async def test_a_gap_in_the_numbers_is_refused(new_database, own):
    (own / "0002_step.sql").rename(own / "0004_step.sql")
    with pytest.raises(ValueError, match="should be step 0002"):
        await migrate(await new_database(), "loans", PASSWORD, [own])


async def test_a_database_that_cannot_be_reached_is_one_sentence_without_its_password():
    with pytest.raises(CannotStart) as refused:
        await migrate("postgresql://x:secret@127.0.0.1:1/x", "loans", PASSWORD, [])
    assert refused.value.message.startswith("The database cannot be reached")
    assert "secret" not in refused.value.message


async def test_an_owner_who_is_no_superuser_can_migrate(new_database, postgres_url, shared):
    """As in managed databases, where nobody is a superuser."""
    url = await new_database()
    database = urlsplit(url).path.lstrip("/")
    await ask(postgres_url, "DROP ROLE IF EXISTS tenant")
    await ask(postgres_url, "CREATE ROLE tenant LOGIN CREATEROLE PASSWORD 'tenant'")
    await ask(postgres_url, f'ALTER DATABASE "{database}" OWNER TO tenant')
    await ask(postgres_url, "DROP ROLE IF EXISTS managed")
    tenant = as_role(url, "tenant", "tenant")
    await migrate(tenant, "managed", PASSWORD, [shared])
    await migrate(tenant, "managed", PASSWORD, [shared])
    assert await ask(as_role(url, "managed", PASSWORD), "SELECT count(*) FROM resource") == 0
