"""The same clinic in two topologies: one process, and one process for each service."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from polyclinic.foundation.postgres import EmbeddedPostgres

sys.path.insert(0, str(Path(__file__).parent))
from story_clinic import NAMES, OPENED, Clinic, Program, a_folder, free_port
from story_topologies import apart

FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of the two clinics is started by one worker alone."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            params: dict[str, str] = getattr(getattr(item, "callspec", None), "params", {})
            fixtures = [params.get("topology"), *getattr(item, "fixturenames", ())]
            for name in ("one_process", "per_service", "replicated"):
                if name in fixtures:
                    item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="session")
def one_process() -> Iterator[Clinic]:
    """`polyclinic up`, as a newcomer types it."""
    with a_folder() as folder:
        data, port, mllp = folder / "data", free_port(), free_port()
        words = ("up", "--data", str(data), "--port", str(port))
        program = Program(folder / "up.txt", *words, POLYCLINIC_INTEGRATION_MLLP_PORT=str(mllp))
        clinic = Clinic(
            "one_process",
            f"http://127.0.0.1:{port}",
            ("--data", str(data)),
            folder,
            data / "logs" / "polyclinic.log",
            {"up": program},
            postgres=data / "postgres",
            key=data / "keys" / "root.key",
            mllp_port=mllp,
        )
        try:
            clinic.await_ready(*NAMES, seconds=120)
            yield clinic
        finally:
            program.stop()


@pytest.fixture(scope="session")
async def story_postgres() -> AsyncIterator[tuple[EmbeddedPostgres, str]]:
    """A PostgreSQL that stories may restart."""
    with a_folder() as folder:
        server = EmbeddedPostgres(folder / "data", settings=FAST)
        try:
            yield server, await server.start()
        finally:
            await server.stop()


@pytest.fixture(scope="session")
def per_service(story_postgres: tuple[EmbeddedPostgres, str]) -> Iterator[Clinic]:
    """`polyclinic serve NAME` for each, told three variables, and where messages come in."""
    with a_folder() as folder:
        yield from apart(folder, story_postgres, "per_service", copies=1)


@pytest.fixture(scope="session")
async def other_postgres() -> AsyncIterator[tuple[EmbeddedPostgres, str]]:
    """Roles are the cluster's: a second clinic with another root key needs one of its own."""
    with a_folder() as folder:
        server = EmbeddedPostgres(folder / "data", settings=FAST)
        try:
            yield server, await server.start()
        finally:
            await server.stop()


@pytest.fixture(scope="session")
def replicated(other_postgres: tuple[EmbeddedPostgres, str]) -> Iterator[Clinic]:
    """Two of each service behind an edge that has no data and no root key."""
    with a_folder() as folder:
        yield from apart(folder, other_postgres, "replicated", copies=2)


@pytest.fixture(autouse=True)
def closed_doors() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture(
    params=["one_process", "per_service", pytest.param("replicated", marks=pytest.mark.long)]
)
def topology(request: pytest.FixtureRequest) -> Clinic:
    """Every story that takes it is told twice, and a third time in the long run."""
    return request.getfixturevalue(request.param)
