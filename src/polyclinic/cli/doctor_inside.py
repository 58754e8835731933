"""What the doctor sees from inside: the keys, the database, its log and copies, the disk."""

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from polyclinic.assembly.services import SERVICES
from polyclinic.cli.datafolder import DataFolder
from polyclinic.foundation import migrations
from polyclinic.foundation.backup.catalog import Catalog
from polyclinic.foundation.backup.shredding import check_keys
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.service import Service
from polyclinic.foundation.vault import RootKey

OK, LOOK, BAD = "ok", "look", "BAD"
# A copy each night, and two hours for a slow one; HIPAA's proposed rule says 48 hours.
BACKUP_HOURS = 26
DRILL_DAYS = 8
KEPT_MINUTES = 5
WAITING_SECONDS = 60
UNSIGNED_LEAVES = 10_000  # as the alert AuditUnsigned
FREE_LEAST, FREE_GOOD = 0.05, 0.15


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what to do next."""

    what: str
    state: str
    word: str
    then: str = ""


@dataclass(frozen=True)
class Ward:
    """What there is to look at; `connection` None when the database does not run."""

    folder: DataFolder
    kept: Path | None
    connection: Any
    url: str | None
    now: datetime


Check = Callable[[Ward], Awaitable[Finding]]


async def look_inside(ward: Ward) -> AsyncIterator[Finding]:
    """Every check in turn; one that cannot be done is a finding too."""
    for check in (key_file, disk_room, backups, restore_drill, clock):
        yield await _guarded(check, ward)
    if ward.connection is None:
        yield Finding(
            "database", BAD, f"no PostgreSQL runs in {ward.folder.path}", "start `polyclinic up`"
        )
        return
    checks = (key_and_data, tables, log_archive, roles, event_feeds, dead_letters, audit_tree)
    for check in checks:
        yield await _guarded(check, ward)


async def key_file(ward: Ward) -> Finding:
    file = ward.folder.key_file
    try:
        root = RootKey.read(file)
    except Problem as problem:
        return Finding("key file", BAD, problem.message, "see docs/runbooks/key-file-lost.md")
    return Finding("key file", OK, f"{file} is its owner's alone, {root.fingerprint}")


async def key_and_data(ward: Ward) -> Finding:
    root = RootKey.read(ward.folder.key_file)
    opened, refused = await check_keys(ward.connection, root)
    if refused:
        word = f"{refused} of {opened + refused} keys tried stay closed"
        return Finding("key and data", BAD, word, "this is another data's key; find the right one")
    return Finding("key and data", OK, f"{opened} keys tried, all open")


async def disk_room(ward: Ward) -> Finding:
    """The fullest disk decides."""
    places = [ward.folder.path, *([ward.kept] if ward.kept and ward.kept.exists() else [])]
    shares = [(disk.free / disk.total, place) for place in places if (disk := _disk(place))]
    share, place = min(shares)
    state = BAD if share < FREE_LEAST else LOOK if share < FREE_GOOD else OK
    then = "" if state == OK else "free some space, never inside postgres/"
    return Finding("disk room", state, f"{share:.0%} free on the disk of {place}", then)


async def backups(ward: Ward) -> Finding:
    if ward.kept is None:
        then = "set POLYCLINIC_BACKUP_FOLDER, or give --backups"
        return Finding("backups", BAD, "no folder of backups is named", then)
    found = Catalog(ward.kept).all()
    if not found:
        return Finding("backups", BAD, f"none in {ward.kept}", "polyclinic backup")
    age = ward.now - found[-1].ended
    word = f"{len(found)}, the newest {_ago(age)} ago"
    if age > timedelta(hours=BACKUP_HOURS):
        return Finding(
            "backups", BAD, word, "polyclinic backup; see why the nightly one did not run"
        )
    if ward.kept.stat().st_dev == ward.folder.path.stat().st_dev:
        return Finding("backups", LOOK, f"{word}, on the data's own disk", "keep them elsewhere")
    return Finding("backups", OK, word)


async def restore_drill(ward: Ward) -> Finding:
    files = sorted((ward.kept / "drills").glob("*.json")) if ward.kept else []
    if not files:
        return Finding("restore drill", LOOK, "none was done", "polyclinic drill")
    said = json.loads(json.loads(files[-1].read_text())["said"])
    age = ward.now - datetime.fromisoformat(said["at"])
    if not said["passed"]:
        return Finding("restore drill", BAD, f"failed {_ago(age)} ago", f"read {files[-1]}")
    word = f"passed {_ago(age)} ago; RPO {said['rpo_seconds']:.0f} s"
    if said["rto_seconds"] is not None:
        word += f", RTO {said['rto_seconds']:.0f} s"
    late = age > timedelta(days=DRILL_DAYS)
    return Finding("restore drill", LOOK if late else OK, word, "polyclinic drill" if late else "")


async def clock(ward: Ward) -> Finding:
    """A clock that went back makes tokens, locks and restores to a moment wrong."""
    known = [taken.ended for taken in Catalog(ward.kept).all()] if ward.kept else []
    if ward.folder.running_file.exists():
        stamp = ward.folder.running_file.stat().st_mtime
        known.append(datetime.fromtimestamp(stamp, UTC))
    ahead = max(known, default=ward.now) - ward.now
    if ahead > timedelta(seconds=5):
        word = f"it went back: something was written {_ago(ahead)} in its future"
        return Finding("clock", BAD, word, "set the clock, and let it be kept by NTP")
    return Finding("clock", OK, f"{ward.now:%F %T}Z, behind nothing that was written")


async def tables(ward: Ward) -> Finding:
    names: list[str] = []
    assert ward.url
    for service in await installed(ward):
        folders = [*service.mounts, *([service.schema] if service.schema else [])]
        await migrations.check(ward.url, service.name, folders)
        names.append(service.name)
    return Finding("tables", OK, f"of this release: {', '.join(names) or 'no service yet'}")


async def log_archive(ward: Ward) -> Finding:
    row = await ward.connection.fetchrow(
        "SELECT current_setting('archive_mode') AS mode, last_archived_time AS kept, "
        "last_failed_time AS failed, last_failed_wal AS piece, "
        "pg_walfile_name(pg_current_wal_lsn()) AS now FROM pg_stat_archiver"
    )
    if row["mode"] != "on":
        then = "set POLYCLINIC_BACKUP_FOLDER and start `up` again"
        return Finding("log archive", BAD, "the log is not kept", then)
    kept, failed = row["kept"], row["failed"]
    if failed and (kept is None or failed > kept):
        word = f"{row['piece']} could not be kept {_ago(ward.now - failed)} ago"
        return Finding("log archive", BAD, word, "see docs/runbooks/log-not-kept.md")
    if kept is None:
        return Finding("log archive", LOOK, "no piece was kept yet", "ask again in two minutes")
    age = ward.now - kept
    late = age > timedelta(minutes=KEPT_MINUTES)
    word = f"the newest piece was kept {_ago(age)} ago"
    # Where nothing is written nothing is closed; a platform at work writes all the time.
    then = "is the platform idle? else docs/runbooks/log-not-kept.md" if late else ""
    return Finding("log archive", LOOK if late else OK, word, then)


async def roles(ward: Ward) -> Finding:
    """Each service's role may do its own schema and nothing else."""
    rows = await ward.connection.fetch(
        "SELECT r.rolname AS role, n.nspname AS schema FROM pg_roles r, pg_namespace n "
        "WHERE r.rolname = ANY ($1) AND n.nspname = ANY ($1) AND r.rolname <> n.nspname "
        "AND has_schema_privilege(r.oid, n.oid, 'USAGE')",
        [service.name for service in SERVICES],
    )
    mighty = await ward.connection.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY ($1) "
        "AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)",
        [service.name for service in SERVICES],
    )
    public = await ward.connection.fetchval(
        "SELECT has_database_privilege('public', current_database(), 'CONNECT')"
    )
    found = [f"{row['role']} may look into {row['schema']}" for row in rows]
    found += [f"{row['rolname']} has rights over the whole server" for row in mighty]
    found += ["anybody may connect"] if public else []
    if found:
        return Finding("roles", BAD, "; ".join(found), "revoke that; services never need it")
    return Finding("roles", OK, "each service's role reaches its own schema alone")


async def event_feeds(ward: Ward) -> Finding:
    """Events that wait for their number, and readers that are behind."""
    names = [s.name for s in await installed(ward) if await _has(ward, s.name, "outbox")]
    waiting = [(await _oldest(ward, name), name) for name in names]
    seconds, name = max(waiting, default=(0.0, ""))
    if seconds > WAITING_SECONDS:
        word = f"an event of {name} has waited for {seconds:.0f} s"
        return Finding("event feeds", BAD, word, "see docs/runbooks/events-late.md")
    return Finding(
        "event feeds", OK, f"{len(names)} feeds, nothing waits longer than {seconds:.0f} s"
    )


async def dead_letters(ward: Ward) -> Finding:
    count = 0
    for service in await installed(ward):
        if await _has(ward, service.name, "dead_letter"):
            query = f'SELECT count(*) FROM "{service.name}".dead_letter WHERE done IS NULL'  # noqa: S608 (our own names)
            count += await ward.connection.fetchval(query)
    if count:
        word = f"{count} events had no effect"
        return Finding("dead letters", LOOK, word, "see docs/runbooks/events-late.md")
    return Finding("dead letters", OK, "none")


async def audit_tree(ward: Ward) -> Finding:
    if not await _has(ward, "audit", "checkpoint"):
        return Finding("audit tree", LOOK, "audit is not installed", "nobody proves the logs")
    row = await ward.connection.fetchrow(
        "SELECT (SELECT coalesce(max(seq) + 1, 0) FROM audit.entry) AS leaves, "
        "(SELECT coalesce(max(size), 0) FROM audit.checkpoint) AS signed"
    )
    word = f"{row['leaves']:,} rows, signed up to {row['signed']:,}"
    if row["leaves"] - row["signed"] > UNSIGNED_LEAVES:
        return Finding("audit tree", BAD, word, "see docs/runbooks/audit-broken.md")
    return Finding("audit tree", OK, word, "")


async def installed(ward: Ward) -> list[Service]:
    rows = await ward.connection.fetch("SELECT nspname FROM pg_namespace")
    there = {row["nspname"] for row in rows}
    return [service for service in SERVICES if service.name in there]


async def _guarded(check: Check, ward: Ward) -> Finding:
    name = check.__name__.replace("_", " ")
    try:
        return await check(ward)
    except Problem as problem:
        return Finding(name, BAD, problem.message)
    except Exception as bug:  # noqa: BLE001 - whatever is ill, the other lines are wanted all the more
        return Finding(name, BAD, f"it could not be looked at: {type(bug).__name__}")


async def _has(ward: Ward, schema: str, table: str) -> bool:
    return await ward.connection.fetchval(
        "SELECT to_regclass(quote_ident($1) || '.' || $2) IS NOT NULL", schema, table
    )


async def _oldest(ward: Ward, schema: str) -> float:
    query = f'SELECT extract(epoch FROM now() - min(at)) FROM "{schema}".outbox'  # noqa: S608 (our own names)
    return float(await ward.connection.fetchval(query) or 0)


def _disk(place: Path) -> Any:
    return shutil.disk_usage(place)


def _ago(age: timedelta) -> str:
    seconds = max(age.total_seconds(), 0)
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"
