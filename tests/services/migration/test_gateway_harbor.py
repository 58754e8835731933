"""Every serious fault of the old clinic's copy is found, and a copy without one is found right."""

import base64
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
import yaml

from polyclinic import demo
from polyclinic.demo import legacy
from polyclinic.demo.legacy import Settings, kept, legacy_clinic
from polyclinic.services.migration.domain.diffing.comparing import compare, compare_status
from polyclinic.services.migration.domain.routing import Route, RouteRule, Table

TODAY = date(2026, 3, 2)
TRUTH = yaml.safe_load((Path(legacy.__file__).parent / "truth.yaml").read_text())
RULES = yaml.safe_load((Path(demo.__file__).parent / "harbor_street.yaml").read_text())
TABLE = Table(
    RouteRule(capability=name, routes=msgspec.convert(tuple(routes), tuple[Route, ...]))
    for name, routes in RULES["capabilities"].items()
)
# Whether a change was kept shows in a later read or in reconciliation, never in its own answer.
NOT_IN_ANSWERS = {name for name in TRUTH["faults"] if name.endswith("-not-kept")}
ROWS = 1500


def severe(*wanted):
    return sorted(
        name for name, fault in TRUTH["faults"].items()
        if fault["severity"] in wanted and name not in NOT_IN_ANSWERS
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("harbor")
    kept.make(made / kept.FILE, rows=ROWS, seed=1998, today=TODAY)
    return made


@asynccontextmanager
async def clinic(folder, *faults):
    app = legacy_clinic(Settings(data=folder, rows=ROWS, today=TODAY, faults=faults))
    transport = httpx.ASGITransport(app=app)
    sign_in = base64.b64encode(b"skim:harbor").decode()
    headers = {"authorization": f"Basic {sign_in}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://harbor.test", headers=headers
    ) as client:
        yield client
    app.state.clinic.close()


async def addresses(client):
    """What people look up in a week: charts, days, visits, bills."""
    found = ["/sites", "/api/patients/search?q=A", "/api/patients/search?q=M"]
    numbers = [f"HS-{100000 + n * 7}" for n in range(40)]
    for each in numbers:
        found += [f"/api/patient/{each}{what}" for what in
                  ("", "/allergies", "/problems", "/meds", "/vitals")]  # fmt: skip
        found += [f"/labs/results.do?mrn={each}", f"/billing/account/{each}/balance",
                  f"/insurance/{each}"]  # fmt: skip
    for days in range(-30, 30):
        day = f"{TODAY + timedelta(days=days):%Y%m%d}"
        found += [f"/sched/day/{day}", f"/sched/slots?from={day}&prov=DRKIM"]
    found += [f"/sched/appt/{n}" for n in range(1, 120)]
    invoices = [row["inv_no"] for row in client.all("SELECT inv_no FROM invoices LIMIT 40")]
    return [*found, *(f"/billing/invoice/{name}" for name in invoices)]


async def differences(folder, *faults, only=""):
    """(route, difference) of everything that is asked of the clinic and its copy."""
    found, asked = [], 0
    async with clinic(folder) as old, clinic(folder, *faults) as new:
        reading = kept.Kept(folder / kept.FILE)
        for address in await addresses(reading):
            match = TABLE.match("GET", address.partition("?")[0])
            if only and only != match.route.path:
                continue
            one, other = await old.get(address), await new.get(address)
            asked += 1
            rules = match.route.compare
            found += compare_status(rules, one.status_code, other.status_code)
            if one.status_code == other.status_code == 200:
                found += compare(rules, one.json(), other.json())
        reading.close()
    return found, asked


def route_of(fault):
    """The route that a fault spoils, by the truth's own address."""
    path = TRUTH["faults"][fault]["endpoint"].removeprefix("GET ").replace("{}", "x")
    return TABLE.match("GET", path).route.path


async def test_a_copy_without_a_fault_has_no_difference(folder):
    found, asked = await differences(folder)
    assert asked > 500
    assert found == []


@pytest.mark.parametrize("fault", severe("S1", "S2"))
async def test_a_fault_that_may_hurt_somebody_or_cost_them_is_found(folder, fault):
    found, _ = await differences(folder, fault, only=route_of(fault))
    assert found
    worst = min(each.severity for each in found)
    assert f"S{worst}" <= TRUTH["faults"][fault]["severity"]


@pytest.mark.parametrize("fault", severe("S3", "S4"))
async def test_a_fault_that_is_a_nuisance_is_found_and_not_called_serious(folder, fault):
    found, _ = await differences(folder, fault, only=route_of(fault))
    assert found
    assert min(each.severity for each in found) >= 3


@pytest.mark.parametrize("fault", severe("S0"))
async def test_what_is_only_written_differently_is_no_difference(folder, fault):
    found, _ = await differences(folder, fault, only=route_of(fault))
    assert found == []
