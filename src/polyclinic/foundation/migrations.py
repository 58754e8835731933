"""Forward-only SQL steps, `0001_….sql` in a folder, applied once each to a service's schema.

A service has one role and one schema of its own name; the role owns the schema. A folder that
several services mount (fhirserver's) has a version of its own in each of their schemas.
"""

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from polyclinic.foundation.starting import CannotStart

STEP_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
SERVICE_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
# One lock a database: services change rows they share, such as the rights on the database.
LOCK = 0x706F6C79  # "poly"
CONNECTION_LIMIT = 40  # five a process, and eight replicas
SCRAM_ROUNDS = 4096  # PostgreSQL's own default; the password is 256 random bits anyway
ATTEMPTS = 8
KEY_NOTE = "root key "  # and its fingerprint: the comment on a service's schema


class NewerData(CannotStart):
    """The data was written by a newer release."""


class OlderData(CannotStart):
    """The data was written by an older release, and this process may not change it."""


class OtherKey(CannotStart):
    """The data are sealed under another root key."""


async def migrate(
    url: str, name: str, password: str, folders: Sequence[Path], key: str | None = None
) -> None:
    """Brings role, schema and tables of a service up to date; safe to run from many processes.

    `key` tells which root key the service has: under another one nothing is touched.
    """
    if not SERVICE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a schema.")
    steps = {_title(folder): _steps(folder) for folder in folders}
    connection: Any = await _connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        if key is not None:
            await _refuse_other_key(connection, name, key)
        await _own_role(connection, name, password)
        await _own_schema(connection, name)
        if key is not None:
            await _note_key(connection, name, key)
        versions = await _versions(connection, name)
        _refuse_newer(name, versions, steps)
        for title, texts in steps.items():
            for number, sql in enumerate(texts, start=1):
                if number > versions.get(title, 0):
                    await _apply(connection, name, (title, number), sql)
    finally:
        await connection.close()


async def check(url: str, name: str, folders: Sequence[Path]) -> None:
    """Refuses data that are not of this release; `url` is the service's own role's.

    For processes that are not given the owner of the database: `migrate` ran before them.
    """
    steps = {_title(folder): _steps(folder) for folder in folders}
    connection: Any = await _connect(url)
    try:
        versions = await _versions(connection, name)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        versions = {}
    finally:
        await connection.close()
    _refuse_newer(name, versions, steps)
    behind = [title for title, texts in steps.items() if versions.get(title, 0) < len(texts)]
    if behind:
        raise OlderData(
            f"The data of {name} is of an older release ({', '.join(behind)}), and this process "
            f"does not change it. Run `polyclinic migrate {name}` with the owner's address first."
        )


async def _connect(url: str) -> Any:
    try:
        return await asyncpg.connect(url, timeout=30, server_settings={"statement_timeout": "0"})
    except (asyncpg.PostgresError, OSError, TimeoutError) as refused:
        # Never the address itself: it holds a password.
        why = getattr(refused, "message", None) or type(refused).__name__
        raise CannotStart(f"The database cannot be reached: {why}.") from refused


def _title(folder: Path) -> str:
    """`fhirserver` of `…/fhirserver/schema`."""
    return folder.parent.name


def _steps(folder: Path) -> list[str]:
    """The steps in order; a gap or a double number would apply differently elsewhere."""
    files = sorted(file for file in folder.iterdir() if file.suffix == ".sql")
    for number, file in enumerate(files, start=1):
        matched = STEP_NAME.fullmatch(file.name)
        if matched is None or int(matched[1]) != number:
            raise ValueError(f"{file} should be step {number:04}_….sql of its folder.")
    return [file.read_text() for file in files]


async def _refuse_other_key(connection: Any, name: str, key: str) -> None:
    """Before the role: it would get the wrong key's password, and whoever is right stay outside."""
    noted = await _noted_key(connection, name)
    if noted not in (None, key):
        raise OtherKey(
            f"The data of {name} are sealed under the root key {noted}, and this one is {key}. "
            "Nothing was changed; bring back the right key file."
        )


async def _note_key(connection: Any, name: str, key: str) -> None:
    """Beside the data, so that it comes along in every copy of them."""
    if await _noted_key(connection, name) is None:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {_quoted(name)}")
            await connection.execute(f"COMMENT ON SCHEMA {_quoted(name)} IS '{KEY_NOTE}{key}'")


async def _noted_key(connection: Any, name: str) -> str | None:
    noted = await connection.fetchval(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = $1", name
    )
    if noted is None or not noted.startswith(KEY_NOTE):
        return None  # somebody else's words
    return noted.removeprefix(KEY_NOTE)


async def _own_role(connection: Any, name: str, password: str) -> None:
    """Roles belong to the whole cluster: another database's process may be doing the same."""
    for attempt in range(ATTEMPTS):
        try:
            async with connection.transaction():
                await _role_as_wanted(connection, name, _verifier(password))
        except (
            asyncpg.DuplicateObjectError,
            asyncpg.UniqueViolationError,
            asyncpg.SerializationError,
            asyncpg.InternalServerError,  # "tuple concurrently updated"
        ):
            if attempt == ATTEMPTS - 1:
                raise
            await asyncio.sleep(0.05 * (attempt + 1))
        else:
            return


async def _role_as_wanted(connection: Any, name: str, verifier: str) -> None:
    role = _quoted(name)
    found = await connection.fetchrow(
        "SELECT rolconnlimit, rolconfig FROM pg_roles WHERE rolname = $1", name
    )
    if found is None:
        await connection.execute(f"CREATE ROLE {role} LOGIN")
    known = await _known_verifier(connection, name)
    search_path = [f"search_path={role}"]
    if (
        found is None
        or known != verifier
        or found["rolconnlimit"] != CONNECTION_LIMIT
        or found["rolconfig"] != search_path
    ):
        await connection.execute(
            f"ALTER ROLE {role} LOGIN NOINHERIT CONNECTION LIMIT {CONNECTION_LIMIT} "
            f"PASSWORD '{verifier}'"
        )
        await connection.execute(f"ALTER ROLE {role} SET search_path = {role}")


async def _known_verifier(connection: Any, name: str) -> str | None:
    """What is stored of the password; None where only a superuser may see it."""
    if not await connection.fetchval("SELECT has_table_privilege('pg_authid', 'SELECT')"):
        return None
    return await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", name)


def _verifier(password: str) -> str:
    """RFC 5802's stored form, made here so that no statement ever carries the password.

    The salt comes from the password, so that an unchanged password is seen to be unchanged.
    """
    salt = hmac.digest(password.encode(), b"polyclinic salt", "sha256")[:16]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (
        base64.b64encode(part).decode() for part in (salt, stored, server)
    )
    return f"SCRAM-SHA-256${SCRAM_ROUNDS}:{salt_text}${stored_text}:{server_text}"


async def _own_schema(connection: Any, name: str) -> None:
    role = _quoted(name)
    database = _quoted(await connection.fetchval("SELECT current_database()"))
    if not await connection.fetchval("SELECT pg_has_role($1, 'SET')", name):
        # A managed database's owner is no superuser and must be a member to act as the role.
        await connection.execute(f"GRANT {role} TO CURRENT_USER WITH SET TRUE")
    async with connection.transaction():
        if await connection.fetchval(
            "SELECT has_database_privilege('public', current_database(), 'CONNECT')"
        ):
            await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
            await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {role}")
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role}")
        await connection.execute(f"SET LOCAL ROLE {role}")
        await connection.execute(f"SET LOCAL search_path = {role}")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (folder text PRIMARY KEY, "
            "version integer NOT NULL, changed_at timestamptz NOT NULL DEFAULT now())"
        )


async def _versions(connection: Any, name: str) -> dict[str, int]:
    query = f"SELECT folder, version FROM {_quoted(name)}.schema_version"  # noqa: S608 (quoted, checked name)
    return {row["folder"]: row["version"] for row in await connection.fetch(query)}


def _refuse_newer(
    name: str, versions: Mapping[str, int], steps: Mapping[str, Sequence[str]]
) -> None:
    for title, version in versions.items():
        known = len(steps.get(title, ()))
        if version > known:
            raise NewerData(
                f"The data of {name} is of a newer release: step {version} of {title}, and this "
                f"release knows {known}. Start the newer release, or go back to a backup."
            )


async def _apply(connection: Any, name: str, step: tuple[str, int], sql: str) -> None:
    """One step and its number, together or not at all, as the service's own role."""
    role = _quoted(name)
    async with connection.transaction():
        await connection.execute(f"SET LOCAL ROLE {role}")
        await connection.execute(f"SET LOCAL search_path = {role}")
        await connection.execute(sql)
        await connection.execute(
            "INSERT INTO schema_version (folder, version) VALUES ($1, $2) "
            "ON CONFLICT (folder) DO UPDATE SET version = $2, changed_at = now()",
            *step,
        )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
