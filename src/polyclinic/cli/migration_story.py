"""`polyclinic migration demo`: a made-up old clinic is left, chapter by chapter, right here."""

import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from polyclinic.cli import migrating, migration_moving, migration_rollout
from polyclinic.cli.migration_stage import Stage, answers, free_port, program
from polyclinic.cli.operator import Operator
from polyclinic.demo.legacy import Settings, kept, legacy_clinic, traffic
from polyclinic.foundation import clock

NAME, TITLE = "harbor-street", "Harbor Street Clinic"
SERVICES = "identity,records,appointments,billing,migration"
START_SECONDS = 180
BUSY = 0.3


Chapter = tuple[str, Callable[[Stage], Awaitable[None]]]


async def tell(keep: Path | None) -> int:
    """Plays every chapter, says how long each took, and leaves nothing behind unless asked to."""
    console = Console()
    folder = keep or Path(tempfile.mkdtemp(prefix="polyclinic-migration-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # the database's own user passes through
    try:
        async with AsyncExitStack() as stack:
            stage = Stage(folder, console, stack=stack)
            for number, (title, play) in enumerate(CHAPTERS, 1):
                console.print(f"[bold]{number} of {len(CHAPTERS)}  {title}[/bold]")
                begun = time.monotonic()
                await play(stage)
                stage.say(f"[dim]{time.monotonic() - begun:.1f} s[/dim]")
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    console.print("The end. docs/guides/leave-a-monolith.md tells how it goes with your own.")
    return 0


async def open_the_old_clinic(stage: Stage) -> None:
    """Its last days are lived in memory, with a clock of their own; then it opens its port."""
    today = clock.today()
    now = [clock.now()]

    def is_now(at: datetime) -> None:
        now[0] = at

    app = legacy_clinic(Settings(data=stage.legacy, rows=2000, today=today, clock=lambda: now[0]))
    state = app.state.clinic
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://harbor.test") as client:
        steps = traffic.days(state.kept, today=today, many=5, busy=BUSY)
        count = await traffic.lived(client, steps, is_now)
    state.close()
    stage.say(f"{count:,} requests stand in its access log.")
    copy = stage.folder / "copy"
    shutil.copytree(stage.legacy, copy)
    stage.legacy_url = await _opened(stage, stage.legacy)
    stage.copy_url = await _opened(stage, copy)
    stage.say(f"It answers at {stage.legacy_url}; a copy of it will stand for its replacement.")


async def _opened(stage: Stage, data: Path) -> str:
    port = free_port()
    words = ("polyclinic.demo.legacy", "--port", str(port), "--data", str(data))
    await stage.stack.enter_async_context(program(words))
    url = f"http://127.0.0.1:{port}"
    await answers(f"{url}/", time.monotonic() + START_SECONDS)
    return url


async def start_the_platform(stage: Stage) -> None:
    port, gateway, data = free_port(), free_port(), stage.folder / "platform"
    surroundings = {
        "POLYCLINIC_MIGRATION_GATEWAY_PORT": str(gateway),
        "POLYCLINIC_MIGRATION_LEGACY_URL": stage.legacy_url,
        "POLYCLINIC_MIGRATION_CANDIDATE_URL": stage.copy_url,
        "POLYCLINIC_MIGRATION_SETTLE_SECONDS": "0.5",
    }
    words = ("polyclinic", "up", "--data", str(data), "--port", str(port))
    more = ("--services", SERVICES, "--seed", "none")
    await stage.stack.enter_async_context(program((*words, *more), surroundings))
    await answers(f"http://127.0.0.1:{port}/health/ready", time.monotonic() + START_SECONDS)
    stage.gateway_url = f"http://127.0.0.1:{gateway}"
    stage.operator = await stage.stack.enter_async_context(Operator.of(data, None, None))
    stage.say(f"polyclinic answers at http://127.0.0.1:{port}, beside the old clinic.")


async def take_an_inventory(stage: Stage) -> None:
    """From its database and its log: nothing was asked of the people who built it."""
    database = f"sqlite:///{stage.legacy / kept.FILE}"
    wanted = migrating.Wanted(NAME, TITLE, log=(stage.legacy / "access.log",), database=database)
    found = await migrating.read(wanted)
    await migrating.send(stage.leader, wanted, found)
    for source, finding in found.items():
        stage.say(
            f"{source}: {len(finding.endpoints)} endpoints, {len(finding.tables)} tables,"
            f" {len(finding.links)} links, {sum(link.declared for link in finding.links)} declared"
        )


async def have_a_person_look(stage: Stage) -> None:
    """One page went to the wrong place; the rest is confirmed."""
    base = f"/migration/inventories/{NAME}"
    member = {"member": "GET /reports/no-shows/{}/{}", "capability": "appointments"}
    await migrating.put(stage.leader, f"{base}/members", {**member, "text": "Who did not come."})
    known = (await migrating.get(stage.leader, base))["capabilities"]
    for each in known:
        said = {"service": each["service"], "text": "Looked at with the front desk."}
        await migrating.put(stage.leader, f"{base}/capabilities/{each['name']}", said)
    stage.say(f"{len(known)} capabilities are confirmed; one report was put where it belongs.")


async def make_a_plan(stage: Stage) -> None:
    """Month's end is kept free; the billers' wish counts; gates stand open until shown."""
    path = f"/migration/inventories/{NAME}/plan"
    inputs = (await migrating.get(stage.leader, path))["plan"]["inputs"]
    closed = clock.today() + timedelta(weeks=4)
    inputs["blackouts"] = [
        {"since": f"{closed}", "until": f"{closed + timedelta(days=5)}", "why": "month's end"}
    ]
    inputs["values"] = {"bills": {"asked for": 1.0}}
    made = await migrating.put(stage.leader, path, inputs)
    migrating.show_plan(made["plan"])


async def show_what_was_decided(stage: Stage) -> None:
    made: Sequence[Any] = (await migrating.get(stage.leader, "/migration/decisions"))["decisions"]
    kinds = {each["kind"] for each in made}
    stage.say(f"{len(made)} decisions stand in one chain of hashes: {', '.join(sorted(kinds))}.")


CHAPTERS: tuple[Chapter, ...] = (
    ("Harbor Street Clinic, as it has been for years", open_the_old_clinic),
    ("polyclinic starts beside it", start_the_platform),
    ("An inventory: what does the old system do?", take_an_inventory),
    ("Somebody who knows the clinic looks at it", have_a_person_look),
    ("A plan: in which order, with which ways back?", make_a_plan),
    *migration_rollout.CHAPTERS,
    *migration_moving.CHAPTERS,
    ("What was decided, and by whom", show_what_was_decided),
)
