"""Migrations lead to the schema that a fresh installation has, and touch nobody else's."""

import re
import shutil

import asyncpg
import pytest

from polyclinic.assembly.services import SERVICES
from polyclinic.foundation import migrations

COLUMNS = """
    SELECT c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod),
           a.attnotnull, a.attstorage::text, a.attidentity::text, a.attstattarget,
           pg_get_expr(d.adbin, d.adrelid), collname, c.reloptions
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'S', 'v')
    ORDER BY 1, 3"""
INDEXES = """
    SELECT pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = $1::regnamespace ORDER BY 1"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = $1::regnamespace ORDER BY 1, 2"""
VERSIONS = "SELECT folder, version FROM schema_version ORDER BY 1"

services = pytest.mark.parametrize(
    "service", [s for s in SERVICES if s.schema is not None], ids=lambda service: service.name
)


def folders_of(service):
    return [*service.mounts, service.schema]


async def shape(url, service):
    """All that the catalogue says about a service's schema; column order left aside."""
    connection = await asyncpg.connect(url, server_settings={"search_path": service.name})
    try:
        found = [
            await connection.fetch(query, service.name) for query in (COLUMNS, INDEXES, CONSTRAINTS)
        ]
        return [[tuple(row) for row in rows] for rows in (*found, await connection.fetch(VERSIONS))]
    finally:
        await connection.close()


def releases(service, base):
    """The folders as they were when each step was the newest: one more step a release."""
    folders = folders_of(service)
    most = max(len(list(folder.glob("*.sql"))) for folder in folders)
    for count in range(1, most + 1):
        made = []
        for folder in folders:
            copy = base / str(count) / folder.parent.name / "schema"
            copy.mkdir(parents=True)
            for step in sorted(folder.glob("*.sql"))[:count]:
                shutil.copy(step, copy)
            made.append(copy)
        yield made


@services
async def test_a_fresh_schema_equals_one_that_was_migrated_release_by_release(
    service, new_database, tmp_path
):
    fresh, migrated = await new_database(), await new_database()
    await migrations.migrate(fresh, service.name, "ab" * 32, folders_of(service))
    for folders in releases(service, tmp_path):
        await migrations.migrate(migrated, service.name, "ab" * 32, folders)
    once = await shape(fresh, service)
    assert await shape(migrated, service) == once
    await migrations.migrate(fresh, service.name, "ab" * 32, folders_of(service))
    assert await shape(fresh, service) == once, "a second run changes nothing"


@services
async def test_a_service_makes_nothing_outside_its_own_schema(service, new_database):
    url = await new_database()
    await migrations.migrate(url, service.name, "ab" * 32, folders_of(service))
    connection = await asyncpg.connect(url)
    try:
        elsewhere = await connection.fetch(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid ="
            " c.relnamespace WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN"
            " ('information_schema', $1)",
            service.name,
        )
        foreign = await connection.fetch(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace"
            " AND pg_get_userbyid(c.relowner) <> $1::text",
            service.name,
        )
    finally:
        await connection.close()
    assert not elsewhere
    assert not foreign, "the service's role owns what it keeps"


@services
def test_steps_only_go_forward(service):
    """The release before this one must be able to read what a step leaves behind."""
    for folder in folders_of(service):
        for step in sorted(folder.glob("*.sql"))[1:]:
            sql = re.sub(r"--[^\n]*", "", step.read_text())
            assert not re.search(r"\bDROP\s+(TABLE|COLUMN)\b|\bRENAME\b", sql, re.IGNORECASE), step
