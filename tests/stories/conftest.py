"""The same clinic in two topologies: one process, and one process for each service.

They stand for as long as stories are told, and take no time from the tests of other folders.
"""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from polyclinic.foundation.postgres import EmbeddedPostgres

sys.path.insert(0, str(Path(__file__).parent))
from story_clinic import NAMES, OPENED, Clinic, Program, a_folder, free_port
from story_topologies import apart

FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@pytest.fixture(scope="package")
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
            clinic.await_ready(*NAMES, seconds=180)
            yield clinic
        finally:
            program.stop()


@pytest.fixture(scope="package")
async def story_postgres() -> AsyncIterator[tuple[EmbeddedPostgres, str]]:
    """A PostgreSQL that stories may restart."""
    with a_folder() as folder:
        server = EmbeddedPostgres(folder / "data", settings=FAST)
        try:
            yield server, await server.start()
        finally:
            await server.stop()


@pytest.fixture(scope="package")
def per_service(story_postgres: tuple[EmbeddedPostgres, str]) -> Iterator[Clinic]:
    """`polyclinic serve NAME` for each, told three variables, and where messages come in."""
    with a_folder() as folder:
        yield from apart(folder, story_postgres, "per_service", copies=1)


@pytest.fixture(scope="package")
async def other_postgres() -> AsyncIterator[tuple[EmbeddedPostgres, str]]:
    """Roles are the cluster's: a second clinic with another root key needs one of its own."""
    with a_folder() as folder:
        server = EmbeddedPostgres(folder / "data", settings=FAST)
        try:
            yield server, await server.start()
        finally:
            await server.stop()


@pytest.fixture(scope="package")
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
