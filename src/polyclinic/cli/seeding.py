"""The demo clinic comes in by the requests that any client could make, with a progress bar."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from polyclinic.cli.operator import Operator
from polyclinic.demo.billing import bill_patients
from polyclinic.demo.seed import SCOPES, SeedResult, seed

CLIENT = "demo-seed"


async def seed_running(operator: Operator) -> int:
    """`polyclinic seed`: into a platform that runs."""
    async with operator:
        made = await seed_with_progress(operator)
    print(f"{made.resources:,} new resources, {made.relations} relations, {made.accounts} sign-ins")
    return 0


async def bill_demo_patients(operator: Operator) -> None:
    """The last of the seed: bills for what the demo's insurer has left to its patients."""
    await bill_patients(operator.http, await operator.current_token(CLIENT, SCOPES))


async def seed_with_progress(operator: Operator) -> SeedResult:
    """May be repeated: what is there already is not made twice."""
    bar = Progress(
        TextColumn("Demo clinic"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    task = bar.add_task("", total=None)

    async def token() -> str:
        return await operator.current_token(CLIENT, SCOPES)

    def show(done: int, total: int, what: str) -> None:
        bar.update(task, completed=done, total=total, description=what)

    with bar:
        return await seed(operator.http, token, show)
