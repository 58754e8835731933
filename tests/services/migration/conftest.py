"""What the tests of migration share: the old clinic, a day of its life, and our door."""

import sys
from datetime import date, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from polyclinic.demo import legacy
from polyclinic.demo.legacy import Settings, legacy_clinic, traffic

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from old_clinics import OldPostgres, OldSqlite

TODAY = date(2026, 3, 3)


@pytest.fixture(scope="session")
def truth():
    """What is true of the old clinic; only tests read it."""
    return yaml.safe_load((Path(legacy.__file__).parent / "truth.yaml").read_text())


@pytest.fixture(scope="session")
async def harbor(tmp_path_factory):
    """A folder with the old clinic's file and the access log of two of its days."""
    folder = tmp_path_factory.mktemp("harbor")
    now = [datetime(2026, 3, 2, tzinfo=traffic.ZONE)]
    app = legacy_clinic(Settings(data=folder, rows=1500, today=TODAY, clock=lambda: now[0]))
    kept = app.state.clinic.kept
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://harbor.test") as client:
        steps = traffic.days(kept, today=TODAY, many=4, busy=0.25)
        await traffic.lived(client, steps, lambda at: now.__setitem__(0, at))
    app.state.clinic.close()
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
async def either_old(request, new_database, tmp_path: Path, monkeypatch):
    """The old clinic's database: a file, and then a PostgreSQL."""
    if request.param == "sqlite":
        old = OldSqlite(tmp_path, 400)
    else:
        old = OldPostgres(await new_database(), tmp_path, 400)
        monkeypatch.setenv("PGPASSFILE", str(old.passfile))
    yield old
    old.close()
