"""The same clinic in two topologies: one process, and one process for each service."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.vault import RootKey

sys.path.insert(0, str(Path(__file__).parent))
from story_clinic import NAMES, OPENED, Clinic, Program, a_folder, free_port

FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of the two clinics is started by one worker alone."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            params: dict[str, str] = getattr(getattr(item, "callspec", None), "params", {})
            fixtures = [params.get("topology"), *getattr(item, "fixturenames", ())]
            for name in ("one_process", "per_service"):
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
        key = folder / "root.key"
        RootKey.create(key)
        ports = {name: free_port() for name in NAMES}
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        mllp = free_port()
        surroundings = {
            "POLYCLINIC_INTEGRATION_MLLP_PORT": str(mllp),
            "POLYCLINIC_DATABASE_URL": story_postgres[1],
            "POLYCLINIC_KEY_FILE": str(key),
            "POLYCLINIC_PEERS": ",".join(f"{name}={url}" for name, url in urls.items()),
        }
        operator = ("--url", urls["portal"], "--key-file", str(key))
        log = folder / "portal.txt"
        clinic = Clinic("per_service", urls["portal"], operator, folder, log, key=key)
        clinic.urls, clinic.surroundings, clinic.mllp_port = urls, surroundings, mllp
        clinic.postgres = story_postgres[0].data / "postgres"
        try:
            for name, port in ports.items():
                words = ("serve", name, "--port", str(port))
                clinic.programs[name] = Program(folder / f"{name}.txt", *words, **surroundings)
            clinic.await_ready(*ports)
            seeded = clinic.command("seed")
            assert seeded.returncode == 0, seeded.stderr
            yield clinic
        finally:
            for program in clinic.programs.values():
                program.stop()


@pytest.fixture(autouse=True)
def closed_doors() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture(params=["one_process", "per_service"])
def topology(request: pytest.FixtureRequest) -> Clinic:
    """Every story that takes it is told twice."""
    return request.getfixturevalue(request.param)
