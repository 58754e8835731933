"""Trains the zstd dictionary that small resources are compressed with before they are sealed.

The samples are the synthetic demo clinic only. A dictionary, once used, is kept for ever under its
number; a better one gets the next number.

    .venv/bin/python scripts/train_dictionary.py 1
"""

import json
import sys
from pathlib import Path

import zstandard

from polyclinic.demo.fixture import bundles
from polyclinic.standards.fhir import codec

DATA = Path(__file__).parent.parent / "src/polyclinic/fhirserver/data"
SIZE = 112 * 1024  # zstd's own default; larger ones gained nothing on these samples


def main() -> None:
    number = int(sys.argv[1])
    file = DATA / f"dictionary-{number}.zstd-dict"
    if file.exists():
        sys.exit(f"{file.name} is in use for ever; take the next number.")
    samples = [
        codec.encode({**entry["resource"], "meta": {**entry["resource"].get("meta", {}), **STAMP}})
        for bundle in bundles()
        for entry in json.loads(bundle)["entry"]
    ]
    file.write_bytes(zstandard.train_dictionary(SIZE, samples, dict_id=number).as_bytes())
    print(f"{file.name}: {file.stat().st_size} bytes from {len(samples)} resources")


# Every stored resource begins like this, so the dictionary should know it.
STAMP = {"versionId": "1", "lastUpdated": "2026-11-22T08:30:00.000Z"}

if __name__ == "__main__":
    main()
