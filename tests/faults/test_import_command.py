"""`polyclinic import` against a real platform: tars, folders, bad lines, reruns, whole archives."""

import io
import json
import re
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

SERVICES = ("--seed", "none", "--services", "records,identity")
SYNTHEA = Path(__file__).parents[2].parent / "shared" / "data" / "synthea"
ARCHIVES = ("pysynthea_20patients_seed42_fhir_r4.tgz", "synthea_r4_98patients.tar")
FHIR = {"content-type": "application/fhir+json"}


def run(data: Path, *paths: Path) -> tuple[int, str]:
    words = ["import", "--data", str(data), *map(str, paths)]
    done = subprocess.run(
        [sys.executable, "-m", "polyclinic", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=data.parent,
    )
    return done.returncode, done.stdout


def counts(said: str) -> dict[str, int]:
    """The numbers that the command says at its end."""
    found = re.findall(r"^ +(imported|already there|refused) +([\d,]+) units", said, re.MULTILINE)
    numbers = {name: int(number.replace(",", "")) for name, number in found}
    resources = re.search(r"units, ([\d,]+) resources", said)
    assert resources is not None, said
    return numbers | {"resources": int(resources[1].replace(",", ""))}


def reader(data: Path, url: str) -> httpx.Client:
    words = ["token", "--data", str(data), "--client", "t", "--scope", "system/*.cruds"]
    token = subprocess.run(
        [sys.executable, "-m", "polyclinic", *words], capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]
    bearer = {"authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"{url}/fhir", headers=bearer, timeout=60)


def patient(name: str, **more: Any) -> bytes:
    return json.dumps({"resourceType": "Patient", "id": name, **more}).encode()


def collection(*resources: bytes) -> bytes:
    entries = b",".join(b'{"resource": ' + resource + b"}" for resource in resources)
    return b'{"resourceType": "Bundle", "type": "collection", "entry": [' + entries + b"]}"


def tarred(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("link.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return path


def test_files_folders_and_tars_are_imported_once_and_refusals_are_listed(start, data):
    up = start(*SERVICES).ready()
    base = data.parent
    folder = base / "folder"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.json").write_bytes(collection(patient("a1"), patient("a2")))
    lines = [patient("n1"), b"{broken", b"", patient("n4", gender="lady"), patient("n5")]
    (folder / "deeper" / "b.ndjson").write_bytes(b"\n".join(lines))
    tar = tarred(
        base / "all.tar.gz",
        {
            "t/c.json": collection(patient("t1")),
            "../../../escaped.json": collection(patient("t2")),
            "/tmp/absolute.ndjson": patient("t3"),
            "t/notes.txt": b"hello",
        },
    )
    code, said = run(data, folder, tar)
    assert code == 1
    assert counts(said)["resources"] == 7
    (report,) = base.glob("import-report-*.json")
    assert report.stat().st_mode & 0o077 == 0
    refused = json.loads(report.read_text())["refused"]
    assert [(each["source"], each["line"], each.get("place")) for each in refused] == [
        ("b.ndjson", 2, refused[0]["place"]),
        ("b.ndjson", 4, "Patient.gender"),
    ]
    assert list(base.parent.glob("escaped.json")) == list(base.rglob("escaped.json")) == []
    with reader(data, up.url) as http:
        for name in ("a1", "a2", "n1", "n5", "t1", "t2", "t3"):
            assert http.get(f"/Patient/{name}").json()["meta"]["versionId"] == "1"
        assert http.get("/Patient?_summary=count").json()["total"] == 7
    code, said = run(data, folder, tar)
    assert counts(said)["imported"] == 0
    assert counts(said)["already there"] >= 4
    assert up.end(signal.SIGINT)[0] == 0


def test_two_imports_of_the_same_files_at_once_keep_everything_once(start, data):
    up = start(*SERVICES).ready()
    folder = data.parent / "in"
    folder.mkdir()
    for number in range(30):
        body = {"resourceType": "Patient", "identifier": [{"value": str(number)}]}
        entry = {"resource": body, "request": {"method": "POST", "url": "Patient"}}
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
        (folder / f"{number}.json").write_text(json.dumps(bundle))
    words = [sys.executable, "-m", "polyclinic", "import", "--data", str(data), str(folder)]
    running = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(3)
    ]
    said = [each.communicate()[0] for each in running]
    assert [each.returncode for each in running] == [0, 0, 0], said
    numbers = [counts(each) for each in said]
    assert sum(each["imported"] for each in numbers) == 30
    assert sum(each["already there"] for each in numbers) == 60
    with reader(data, up.url) as http:
        assert http.get("/Patient?_summary=count").json()["total"] == 30
    assert up.end(signal.SIGINT)[0] == 0


def test_a_body_that_is_too_large_is_refused_over_a_socket_too(start, data):
    up = start(*SERVICES).ready()
    mb = b" " * (1 << 20)

    def streamed():
        for _ in range(33):
            yield mb

    for content in (mb * 32 + b" ", streamed()):
        with reader(data, up.url) as http:
            answer = _answered(http, content)
            # A server may hang up on a body that it has already refused.
            assert answer is None or answer.status_code == 413
    with reader(data, up.url) as http:
        deep = http.post("/Patient", content=b"[" * 100_000, headers=FHIR)
        assert deep.status_code == 400, deep.text
        broken = http.post("/Patient", content=b'{"resourceType": "Patient"', headers=FHIR)
        assert broken.status_code == 400
        assert broken.json()["resourceType"] == "OperationOutcome"
        assert http.get("/Patient?_summary=count").status_code == 200
    assert up.end(signal.SIGINT)[0] == 0


def _answered(http: httpx.Client, content: Any) -> httpx.Response | None:
    try:
        return http.post("/Patient", content=content, headers=FHIR)
    except httpx.TransportError:
        return None


def _first_bundles(archive: Path, target: Path, count: int) -> Path:
    """A tar with the first few files of another."""
    with tarfile.open(archive) as source, tarfile.open(target, "w") as kept:
        for member in source:
            if member.isfile() and count > 0:
                kept.addfile(member, source.extractfile(member))
                count -= 1
    return target


needs_synthea = pytest.mark.skipif(
    not SYNTHEA.is_dir(), reason="the Synthea archives do not lie beside this repository"
)


@needs_synthea
def test_the_first_bundles_of_both_archives_are_imported(start, data):
    up = start(*SERVICES).ready()
    some = [
        _first_bundles(SYNTHEA / name, data.parent / f"some{n}.tar", 3)
        for n, name in enumerate(ARCHIVES)
    ]
    code, said = run(data, *some)
    assert code == 0, said
    numbers = counts(said)
    assert (numbers["imported"], numbers["refused"]) == (6, 0)
    with reader(data, up.url) as http:
        assert http.get("/Patient?_summary=count").json()["total"] == 6
    code, said = run(data, *some)
    assert (code, counts(said)["already there"]) == (0, 6)
    assert up.end(signal.SIGINT)[0] == 0


@pytest.mark.long
@pytest.mark.timeout(900)
@needs_synthea
def test_both_archives_are_imported_whole(start, data, record_property):
    up = start(*SERVICES).ready()
    code, said = run(data, *(SYNTHEA / name for name in ARCHIVES))
    assert code == 0, said
    numbers = counts(said)
    assert (numbers["imported"], numbers["refused"]) == (118, 0)
    assert numbers["resources"] == 72_436
    record_property("patients", numbers["imported"])
    record_property("resources", numbers["resources"])
    with reader(data, up.url) as http:
        assert http.get("/Patient?_summary=count").json()["total"] == 118
    assert up.end(signal.SIGINT)[0] == 0
