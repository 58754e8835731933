"""`polyclinic migration`: an inventory read beside the old system, the plan, and the demo."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from polyclinic.cli.operator import Operator, said
from polyclinic.foundation import ids
from polyclinic.foundation.errors import Invalid, Problem
from polyclinic.foundation.work import in_thread
from polyclinic.services.migration.domain.capabilities import Capability, capabilities
from polyclinic.services.migration.domain.inventory.exports import read_exports
from polyclinic.services.migration.domain.inventory.findings import Finding, merged
from polyclinic.services.migration.domain.inventory.har import HAR_MAX, read_har
from polyclinic.services.migration.domain.inventory.logs import read_log
from polyclinic.services.migration.domain.inventory.openapi import OPENAPI_MAX, read_openapi
from polyclinic.services.migration.domain.inventory.tables import read_information_schema
from polyclinic.services.migration.gateways import files
from polyclinic.services.migration.gateways.database import look

CLIENT, SCOPES = "migration-cli", "system/*.cruds"


class NotTaken(Problem):
    """The platform did not take it."""


@dataclass(frozen=True)
class Wanted:
    """The sources that were named."""

    name: str
    title: str = ""
    openapi: tuple[Path, ...] = ()
    har: tuple[Path, ...] = ()
    log: tuple[Path, ...] = ()
    roles: Path | None = None
    database: str | None = None
    schema: tuple[Path, ...] = ()
    csv: tuple[Path, ...] = ()
    host: str = ""
    findings: dict[str, Finding] = field(default_factory=dict[str, Finding])


async def read(wanted: Wanted) -> dict[str, Finding]:
    """Each source by a name of its own; what is read stays here, but for names and counts."""
    found: dict[str, Finding] = {}
    roles = _roles(wanted.roles) if wanted.roles else {}
    if wanted.database:
        looked = await look(wanted.database)
        found["database"] = looked.finding
        roles = {**looked.roles, **roles}
    found |= await in_thread(_read_files, wanted, roles)
    if not found:
        raise Invalid("Name a source: --log, --database, --openapi, --har, --schema or --csv.")
    return found


def _read_files(wanted: Wanted, roles: Mapping[str, str]) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    for n, path in _numbered(wanted.openapi):
        found[f"openapi{n}"] = read_openapi(files.whole(path, OPENAPI_MAX), path.name)
    for n, path in _numbered(wanted.har):
        found[f"har{n}"] = read_har(files.whole(path, HAR_MAX), path.name, wanted.host)
    for n, path in _numbered(wanted.log):
        found[f"log{n}"] = read_log(files.pieces(path), path.name, roles)
    for n, path in _numbered(wanted.schema):
        tables = read_information_schema(files.whole(path, OPENAPI_MAX), path.name)
        found[f"schema{n}"] = Finding(source="database", label=path.name, tables=tables)
    for n, folder in _numbered(wanted.csv):
        exports = {each.stem: files.texts(each) for each in sorted(folder.glob("*.csv"))}
        found[f"csv{n}"] = read_exports(exports, folder.name)
    return found


def _numbered(paths: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    for number, path in enumerate(paths, 1):
        yield ("" if number == 1 else f"-{number}"), path


def _roles(path: Path) -> dict[str, str]:
    """`login,role` lines: who may be counted as what."""
    rows = csv.reader(files.texts(path))
    return {row[0]: row[1] for row in rows if len(row) >= 2}


async def inventory(operator: Operator | None, wanted: Wanted) -> int:
    """Reads, shows what was found, and gives it to the platform unless it is a dry run."""
    found = await read(wanted)
    for source, finding in found.items():
        print(_told(source, finding))
    show_capabilities(capabilities(merged(found.values())))
    if operator is None:
        print("Nothing was sent.")
        return 0
    async with operator:
        await send(operator, wanted, found)
    print(f"Kept as {wanted.name}.")
    return 0


async def send(operator: Operator, wanted: Wanted, found: Mapping[str, Finding]) -> None:
    base = f"/migration/inventories/{wanted.name}"
    await put(operator, base, {"title": wanted.title or wanted.name})
    for source, finding in found.items():
        await put(operator, f"{base}/sources/{source}", finding)


async def put(operator: Operator, path: str, value: object) -> Any:
    token = await operator.current_token(CLIENT, SCOPES)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    answer = await operator.http.put(path, content=msgspec.json.encode(value), headers=headers)
    if not answer.is_success:
        raise NotTaken(f"The platform did not take it: {said(answer)}")
    return answer.json()


async def post(operator: Operator, path: str, value: object) -> Any:
    headers = {"content-type": "application/json", "idempotency-key": ids.new_id()}
    answer = await operator.post(path, msgspec.json.encode(value), headers, (CLIENT, SCOPES))
    if not answer.is_success:
        raise NotTaken(f"The platform did not take it: {said(answer)}")
    return answer.json()


async def put_fhir(operator: Operator, resource: dict[str, Any]) -> None:
    """Keeps a resource under its id, as the operator."""
    token = await operator.current_token(CLIENT, "system/*.cruds")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/fhir+json"}
    path = f"/fhir/{resource['resourceType']}/{resource['id']}"
    content = msgspec.json.encode(resource)
    answer = await operator.http.put(path, content=content, headers=headers)
    if not answer.is_success:
        raise NotTaken(f"The platform did not take it: {said(answer)}")


async def get(operator: Operator, path: str) -> Any:
    answer = await operator.get(path, (CLIENT, SCOPES))
    if not answer.is_success:
        raise NotTaken(f"The platform does not say: {said(answer)}")
    return answer.json()


def _told(source: str, finding: Finding) -> str:
    lines = [
        f"{source}: {finding.read:,} read, {len(finding.endpoints)} endpoints,"
        f" {len(finding.tables)} tables, {len(finding.links)} links"
    ]
    if finding.bad:
        where = ", ".join(str(each.line) for each in finding.bad_lines[:10])
        lines.append(f"  {finding.bad:,} could not be read, the first in lines {where}")
    lines += [f"  left out: {count:,} {what}" for what, count in finding.left_out.items()]
    return "\n".join(lines)


def show_capabilities(found: tuple[Capability, ...]) -> None:
    table = Table("capability", "service", "sure", "endpoints", "rows", "requests", "needs")
    for each in found:
        needs = ", ".join(each.depends_on)
        table.add_row(
            each.name,
            each.service or "?",
            f"{each.confidence:.0%}",
            str(len(each.endpoints)),
            f"{each.rows:,}",
            f"{each.requests:,}",
            needs,
        )
    Console().print(table)


async def plan(operator: Operator, name: str) -> int:
    """Prints the scores and the waves as they stand."""
    async with operator:
        show_plan((await get(operator, f"/migration/inventories/{name}/plan"))["plan"])
    return 0


def show_plan(value: Any) -> None:
    scores = Table("rank", "capability", "priority", "urgency", "ease", "risk", "rank if ±20 %")
    for each in value["scores"]:
        swing = f"{each['best_rank']} to {each['worst_rank']}"
        numbers = (f"{each[side]:.2f}" for side in ("priority", "urgency", "ease", "risk"))
        scores.add_row(str(each["rank"]), each["capability"], *numbers, swing)
    waves = Table("wave", "goes live", "capabilities (way back)", "gates open")
    for wave in value["waves"]:
        steps = wave["steps"]
        gates = [gate for step in steps for gate in step["gates"]]
        open_ones = sum(gate["state"] not in ("passed", "waived") for gate in gates)
        named = ", ".join(f"{step['capability']} ({step['rollback']})" for step in steps)
        waves.add_row(str(wave["number"]), wave["live"], named, f"{open_ones} of {len(gates)}")
    console = Console()
    console.print(scores, waves)
    for gap in value["gaps"]:
        console.print(f"Not moved: {gap['capability']}. {gap['why']}")
