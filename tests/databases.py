"""Databases of tests: each is a copy of one that was migrated once, and is gone afterwards."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from polyclinic.assembly.process import migrate
from polyclinic.foundation.settings import Platform

_templates: dict[tuple[str, Path, frozenset[str]], str] = {}


@asynccontextmanager
async def database(
    postgres_url: str, key_file: Path, services: tuple[str, ...]
) -> AsyncIterator[str]:
    """The address of a new database, as a first start of these services begins with it."""
    name = f"test_{uuid.uuid4().hex}"
    template = await _template(postgres_url, key_file, services)
    await run(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    try:
        yield in_database(postgres_url, name)
    finally:
        await run(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _template(postgres_url: str, key_file: Path, services: tuple[str, ...]) -> str:
    if not services:
        return "template1"  # an empty one
    wanted = (postgres_url, key_file, frozenset(services))
    if wanted not in _templates:
        name = f"template_{uuid.uuid4().hex}"
        await run(postgres_url, f'CREATE DATABASE "{name}" STRATEGY FILE_COPY')
        url = in_database(postgres_url, name)
        await migrate(Platform(database_url=url, key_file=str(key_file)), services)
        _templates[wanted] = name
    return _templates[wanted]


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def in_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
