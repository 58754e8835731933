"""What tests share: one real PostgreSQL for the whole run, and a database of its own for each."""

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from hypothesis import HealthCheck, settings

# Tests are imported one by one, not as a package; what all share lies beside this file.
sys.path.insert(0, str(Path(__file__).parent))
from databases import database
from polyclinic.foundation import migrations
from polyclinic.foundation.database import Database
from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.service import Service
from polyclinic.foundation.vault import RootKey

# The same examples in each run, and no clock beside them: on a busy machine one may take its time.
settings.register_profile(
    "fixed", derandomize=True, database=None, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.load_profile("fixed")

NewDatabase = Callable[[], Awaitable[str]]
DatabaseOf = Callable[[Service], Awaitable[Database]]

# Nothing of a test run has to survive a power cut, so the disk need not be waited for.
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "5min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
# Begun first when several workers share a run, so that none of these is the last one alone.
LONGEST = ("stories", "browser", "faults", "bench", "billing", "fhirserver")
# Their files share platforms that take long to start: one worker runs all of such a folder.
TOGETHER = ("tests/stories/", "tests/browser/")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """As `--dist loadscope` shares the files among workers, but some folders as one."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = next((each for each in TOGETHER if nodeid.startswith(each)), None)
            return folder or super()._split_scope(nodeid)

    return Scheduling(config, log) if config.option.dist == "loadscope" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    items.sort(key=lambda item: _turn(item.path.relative_to(here)))


def _turn(file: Path) -> int:
    return next((n for n, name in enumerate(LONGEST) if name in file.parts), len(LONGEST))


@pytest.fixture(scope="session")
def data_folder() -> Iterator[Path]:
    """A data folder that the server's own user can reach too (pytest's own is closed to it)."""
    folder = Path(tempfile.mkdtemp(prefix="polyclinic-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def postgres_url(data_folder: Path) -> AsyncIterator[str]:
    """The address of the run's PostgreSQL, as the owner who may create databases and roles."""
    server = EmbeddedPostgres(data_folder, settings=FAST)
    yield await server.start()
    await server.stop()


@pytest.fixture(scope="session")
def key_file(data_folder: Path) -> Path:
    """One root key for the run: roles are the cluster's, and their passwords come from it."""
    file = data_folder / "keys" / "root.key"
    RootKey.create(file)
    return file


@pytest.fixture(scope="session")
def root_key(key_file: Path) -> RootKey:
    return RootKey.read(key_file)


@pytest.fixture
async def new_database(postgres_url: str, key_file: Path) -> AsyncIterator[NewDatabase]:
    """Makes empty databases; they are gone after the test."""
    async with AsyncExitStack() as stack:

        async def make() -> str:
            return await stack.enter_async_context(database(postgres_url, key_file, ()))

        yield make


@pytest.fixture
async def database_of(new_database: NewDatabase, root_key: RootKey) -> AsyncIterator[DatabaseOf]:
    """Opens a migrated database of its own for a service, under that service's role."""
    async with AsyncExitStack() as stack:

        async def open_database(service: Service) -> Database:
            url = await new_database()
            password = root_key.derive(f"database role|{service.name}").hex()
            folders = [*service.mounts, *([service.schema] if service.schema else [])]
            await migrations.migrate(url, service.name, password, folders)
            database = await Database.connect(as_role(url, service.name, password), service.name)
            stack.push_async_callback(database.close)
            return database

        yield open_database


@pytest.fixture
def assembled(
    postgres_url: str, key_file: Path
) -> Callable[..., AbstractAsyncContextManager[object]]:
    """`async with assembled("records", "identity") as process:` — services on a new database."""

    @asynccontextmanager
    async def start(*names: str, **environ: str) -> AsyncIterator[object]:
        from polyclinic.assembly.process import assemble
        from polyclinic.foundation.settings import Platform

        async with database(postgres_url, key_file, names) as url:
            platform = Platform(database_url=url, key_file=str(key_file))
            async with assemble(platform, names, environ) as process:
                yield process

    return start


def as_role(url: str, role: str, password: str) -> str:
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password)}@{where}"))
