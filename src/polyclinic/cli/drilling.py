"""`polyclinic drill`: the restore drill as one command, with damage that it must notice.

Nine steps of docs/guides/back-up-and-restore.md on a scratch copy; the living database only gets
canary rows. Each step is a row of a table; the exit code is 1 when one failed.
"""

import json
import secrets
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from polyclinic.cli import drill_controls as controls
from polyclinic.cli import drill_proofs as proofs
from polyclinic.cli.backing_up import Steps, at_work, builtin, named
from polyclinic.cli.datafolder import DataFolder, outside, write_private
from polyclinic.cli.drill_canaries import (
    Canaries,
    assert_that,
    check_canaries,
    open_canary,
    prepare_canaries,
    wait_until_kept,
    write_canaries,
)
from polyclinic.cli.escrowing import root_of
from polyclinic.cli.restoring import furnished
from polyclinic.foundation.backup.builtin import BuiltIn
from polyclinic.foundation.backup.restoring import (
    Restored,
    Wanted,
    connected,
    remove,
    restore,
)
from polyclinic.foundation.backup.shredding import check_keys
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.postgres.archiving import TIMEOUT_SECONDS
from polyclinic.foundation.postgres.place import prepare
from polyclinic.foundation.vault import RootKey


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    step: str
    what: str
    passed: bool
    word: str
    seconds: float


@dataclass
class Drill:
    """A drill at work: where, with which key, and what came out so far."""

    provider: BuiltIn
    scratch: Path
    key: bytes
    steps: Steps
    rows: list[Row] = field(default_factory=list[Row])
    rpo: float | None = None
    rto: float | None = None

    @property
    def root(self) -> RootKey:
        return root_of(self.key)

    async def step(self, number: str, what: str, work: Awaitable[str]) -> None:
        """Does one and notes how it ended; a failure is noted and does not stop the others."""
        self.steps.say(f"{number} {what}")
        began = time.monotonic()
        try:
            passed, word = True, await work
        except Problem as problem:
            passed, word = False, problem.message
        except Exception as bug:  # noqa: BLE001 - a damaged copy may fail in any way; that is told
            passed, word = False, f"it ended with {type(bug).__name__}"
        self.note(number, what, word, time.monotonic() - began, passed=passed)

    def note(
        self, number: str, what: str, word: str, seconds: float, *, passed: bool = True
    ) -> None:
        self.rows.append(Row(number, what, passed, word, seconds))

    @property
    def passed(self) -> bool:
        return all(row.passed for row in self.rows)


async def drill(data: Path, backups: Path | None, key: bytes) -> int:
    """Restores what is kept to a moment of now, proves it, damages a shadow, and tells."""
    folder = DataFolder(data)
    kept = outside(folder.path, named(backups))
    scratch = folder.path.with_name(f"{folder.path.name}.drill-{secrets.token_hex(4)}")
    with Steps() as steps:
        found = Drill(builtin(kept, steps), scratch, key, steps)
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(at_work(folder, kept, steps))
            scratch.mkdir(mode=0o711)
            stack.callback(_clear, scratch)
            async with connected(url) as connection:
                canaries = await _canaries(found, connection)
            await _restored(found, canaries)
    return _tell(found, kept)


async def _canaries(found: Drill, connection: object) -> Canaries:
    """Steps 1 and 2; without them there is nothing to look for, so they may not fail."""
    await prepare_canaries(connection)
    began = time.monotonic()
    canaries = await write_canaries(connection, found.root)
    word = "two before the moment, one after it, one key destroyed after it"
    found.note("1", "Canaries are written", word, time.monotonic() - began)
    found.steps.say("The log of the canaries is kept")
    found.rpo = await wait_until_kept(connection, found.provider.catalog.wal)
    word = f"{canaries.moment.isoformat()}; kept {found.rpo:.1f} s later"
    found.note("2", "A moment is chosen", word, found.rpo)
    return canaries


async def _restored(found: Drill, canaries: Canaries) -> None:
    """Steps 3 to 9, and the controls that need the restored copy."""
    began = time.monotonic()
    wanted = Wanted(canaries.moment, found.scratch / "restored", found.root, furnished(found.key))
    outcome: list[Restored] = []

    async def bring_back() -> str:
        done = await restore(found.provider, wanted, found.steps.hearing)
        outcome.append(done)
        return f"from {done.taken.label}, {done.taken.kind}"

    await found.step("3", "It is restored to the moment", bring_back())
    if outcome:
        place = prepare(wanted.data)
        pages = proofs.check_pages(found.provider.binaries, place.cluster)
        await found.step("4", "Pages have their checksums", pages)
        server = EmbeddedPostgres(wanted.data)
        try:
            await _proven(found, canaries, outcome[0], await server.start(), began)
        finally:
            await server.stop()
        flipped = controls.flipped_byte(found.provider, found.scratch, outcome[0].taken)
        await found.step("-", "Control: a flipped bit", flipped)
    elsewhere = Wanted(canaries.moment, found.scratch / "never", found.root)
    missing = controls.missing_piece(found.provider, found.scratch, elsewhere, canaries.piece)
    await found.step("-", "Control: a missing piece", missing)


async def _proven(found: Drill, canaries: Canaries, done: Restored, url: str, began: float) -> None:
    folder, smoke = DataFolder(found.scratch / "restored"), proofs.Smoke()
    # RTO is until the first answer; what is proven at leisure afterwards does not count.
    await found.step(
        "8", "Services start on it and answer", proofs.served(url, folder, found.root, smoke.ask)
    )
    if smoke.first is not None:
        pages = next(row.seconds for row in found.rows if row.step == "4")
        found.rto = smoke.first - began - pages
    indexes = proofs.check_indexes(found.provider.binaries, url)
    await found.step("4", "Tables and indexes agree", indexes)
    async with connected(url) as connection:
        await found.step("5", "The escrow's key opens it", _opens(connection, found, canaries))
        await found.step("6", "Erased stays erased", _erased(connection, found, canaries, done))
        await found.step("7", "Canaries to the moment", check_canaries(connection, canaries))
        await found.step("7", "Books and audit tree", proofs.check_books(connection, canaries))
        await found.step("-", "Control: another key", controls.wrong_key(connection, canaries))


async def _opens(connection: object, found: Drill, canaries: Canaries) -> str:
    opened, refused = await check_keys(connection, found.root)
    assert_that(not refused, f"{refused} of {opened + refused} keys stay closed")
    assert_that(await open_canary(connection, found.root, canaries.kept), "the canary stays closed")
    return f"{opened} keys and the canary open"


async def _erased(connection: object, found: Drill, canaries: Canaries, done: Restored) -> str:
    """The copy had the key at the moment, so the ledger must have destroyed it again."""
    assert_that(done.destroyed >= 1, "the copy did not have the key: the ledger was not tried")
    opens = await open_canary(connection, found.root, canaries.erased)
    assert_that(not opens, "a key that was destroyed after the moment came back")
    return f"{done.destroyed} destroyed again before anybody was served"


def _tell(found: Drill, kept: Path) -> int:
    """The table, RPO and RTO, and the signed evidence beside the backups."""
    for row in sorted(found.rows, key=lambda row: (row.step == "-", row.step)):
        ended = "ok" if row.passed else "FAILED"
        print(f"{row.step:<2} {row.what:<32} {ended:<6} {row.seconds:>6.1f} s  {row.word}")
    if found.rpo is not None:
        most = f"a piece is closed after {TIMEOUT_SECONDS} s and kept then"
        print(f"RPO {found.rpo:.1f} s: so long a write was on one disk only ({most}).")
    if found.rto is not None:
        print(f"RTO {found.rto:.1f} s: from the start of the restore to the first answer.")
    file = kept / "drills" / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    write_private(file, _evidence(found))
    print(f"9 Evidence, signed: {file}")
    print("The drill passed." if found.passed else "The drill FAILED.")
    return 0 if found.passed else 1


def _evidence(found: Drill) -> str:
    said = json.dumps(
        {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "passed": found.passed,
            "rpo_seconds": found.rpo,
            "rto_seconds": found.rto,
            "rows": [asdict(row) for row in found.rows],
        }
    )
    signer = Ed25519PrivateKey.from_private_bytes(found.root.derive("drill evidence"))
    proof = {
        "said": said,
        "signature": signer.sign(said.encode()).hex(),
        "key": signer.public_key().public_bytes_raw().hex(),
    }
    return json.dumps(proof, indent=1) + "\n"


def _clear(scratch: Path) -> None:
    for data in scratch.iterdir():
        remove(data)
    remove(scratch)
