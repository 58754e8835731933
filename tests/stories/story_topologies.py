"""Clinics whose services are processes of their own: one of each, or two behind an edge."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from story_clinic import NAMES, Clinic, Program, free_port

from polyclinic.assembly.hop import write_edge_key
from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.vault import RootKey


def apart(
    folder: Path,
    postgres: tuple[EmbeddedPostgres, str],
    name: str,
    copies: int,
    names: tuple[str, ...] = NAMES,
    more: Mapping[str, str] | None = None,
) -> Iterator[Clinic]:
    """Starts, seeds and, in the end, stops; with several copies an edge stands before them."""
    key = folder / "root.key"
    RootKey.create(key)
    ports = {each: [free_port() for _ in range(copies)] for each in names}
    urls = {n: "|".join(f"http://127.0.0.1:{port}" for port in ports[n]) for n in names}
    edge = free_port() if copies > 1 else ports["portal"][0]
    front = f"http://127.0.0.1:{edge}"
    surroundings = {
        "POLYCLINIC_DATABASE_URL": postgres[1],
        "POLYCLINIC_KEY_FILE": str(key),
        "POLYCLINIC_PEERS": ",".join(f"{each}={url}" for each, url in urls.items()),
        **(more or {}),
    }
    if copies > 1:
        surroundings["POLYCLINIC_PUBLIC_URL"] = front
    log = folder / ("edge.txt" if copies > 1 else "portal.txt")
    clinic = Clinic(name, front, ("--url", front, "--key-file", str(key)), folder, log, key=key)
    clinic.urls = {n: url.partition("|")[0] for n, url in urls.items()}
    clinic.surroundings, clinic.postgres = surroundings, postgres[0].data / "postgres"
    try:
        _start(clinic, ports)
        if copies > 1:
            write_edge_key(RootKey.read(key), folder / "edge.key")
            told = {"POLYCLINIC_EDGE_KEY_FILE": str(folder / "edge.key")}
            told["POLYCLINIC_PEERS"] = surroundings["POLYCLINIC_PEERS"]
            words = ("edge", "--port", str(edge))
            clinic.programs["edge"] = Program(log, *words, **told)
        # Ten processes that start at once on two cores, maybe beside another ten.
        clinic.await_ready(*names, seconds=180 * copies)
        seeded = clinic.command("seed")
        assert seeded.returncode == 0, seeded.stderr
        yield clinic
    finally:
        for program in clinic.programs.values():
            program.process.terminate()  # all at once, then one by one until the last has ended
        for program in clinic.programs.values():
            program.stop()


def _start(clinic: Clinic, ports: dict[str, list[int]]) -> None:
    """A replica is called after its service, the second one with a number."""
    for name, theirs in ports.items():
        for number, port in enumerate(theirs, start=1):
            called = name if number == 1 else f"{name}-{number}"
            mllp = free_port()
            clinic.mllp_port = mllp if called == "integration" else clinic.mllp_port
            told = {**clinic.surroundings, "POLYCLINIC_INTEGRATION_MLLP_PORT": str(mllp)}
            words = ("serve", name, "--port", str(port))
            clinic.programs[called] = Program(clinic.folder / f"{called}.txt", *words, **told)
