"""How long a card takes: `python -m bench.cds` calls CDS Hooks with a whole chart sent along.

Each call is about another person, with 500 observations, as the prefetch of a long chart has them;
a platform of its own answers over HTTP in another process. CDS Hooks asks for 500 ms.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
import uuid
from pathlib import Path

import httpx
import uvloop

from bench.platform import free_port
from polyclinic.assembly.process import assemble, serve
from polyclinic.foundation import clock, jose
from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey

GOAL_MS = 500
OBSERVATIONS = 500
CODES = (("2160-0", 2.4, "mg/dL"), ("8480-6", 142, "mm[Hg]"), ("2093-3", 201, "mg/dL"),
         ("2085-9", 44, "mg/dL"), ("39156-5", 29, "kg/m2"), ("8867-4", 74, "/min"))  # fmt: skip


def chart() -> dict[str, object]:
    """A call about somebody whom no other call is about."""
    who, now = uuid.uuid4().hex, clock.now().isoformat(timespec="seconds")
    entries = []
    for number in range(OBSERVATIONS):
        code, value, unit = CODES[number % len(CODES)]
        quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org",
                    "code": unit}  # fmt: skip
        entries.append({"resource": {
            "resourceType": "Observation", "id": f"o{number}", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "subject": {"reference": f"Patient/{who}"}, "effectiveDateTime": now,
            "valueQuantity": quantity}})  # fmt: skip
    patient = {"resourceType": "Patient", "id": who, "birthDate": "1966-03-01", "gender": "female"}
    return {
        "hook": "patient-view", "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/bench", "patientId": who},
        "prefetch": {"patient": patient, "conditions": None, "medications": None,
                     "encounters": None,
                     "observations": {"resourceType": "Bundle", "entry": entries}},
    }  # fmt: skip


def serve_platform(url: str, key: str, port: int) -> None:
    uvloop.run(_serve(url, key, port))


async def _serve(url: str, key: str, port: int) -> None:
    platform = Platform(database_url=url, key_file=key)
    environ = {"POLYCLINIC_INSIGHTS_ALERTS_A_DAY": "1000000"}
    async with assemble(platform, ("identity", "records", "insights"), environ) as process:
        await serve(process, "127.0.0.1", port)


async def ready(client: httpx.AsyncClient) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if (await client.get("/health/ready")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise TimeoutError("the platform did not start")


async def measure(url: str, root: RootKey, count: int, beside: int) -> list[float]:
    """Milliseconds of each call, `beside` at a time."""
    took: list[float] = []
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        await ready(client)
        proof = jose.assertion(root.derive("operator"), issuer="operator",
                               audience="polyclinic-operator", now=int(time.time()))  # fmt: skip
        asked = {"client": "bench", "scope": "system/*.cruds", "assertion": proof}
        token = (await client.post("/identity/operator/token", json=asked)).json()["access_token"]
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        bodies = [json.dumps(chart()).encode() for _ in range(count)]

        async def one(body: bytes) -> None:
            began = time.perf_counter()
            path = "/cds-services/polyclinic-risks"
            answer = await client.post(path, content=body, headers=headers)
            took.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, answer.text
            assert answer.json()["cards"], "each call is about somebody new"

        for start in range(0, count, beside):
            await asyncio.gather(*(one(body) for body in bodies[start : start + beside]))
    return took


async def run(count: int, beside: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        os.chmod(folder, 0o711)  # noqa: PTH101 - PostgreSQL's own user must be able to pass
        postgres, key, port = EmbeddedPostgres(base / "data"), base / "root.key", free_port()
        root = RootKey.create(key)
        words = (await postgres.start(), str(key), port)
        process = multiprocessing.get_context("spawn").Process(target=serve_platform, args=words)
        process.start()
        try:
            took = await measure(f"http://127.0.0.1:{port}", root, count, beside)
        finally:
            process.terminate()
            process.join(20)
            await postgres.stop()
    cuts = statistics.quantiles(took, n=100)
    print(f"{count} calls, {beside} at a time, {OBSERVATIONS} observations each; "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"p50 {cuts[49]:.0f} ms  p95 {cuts[94]:.0f} ms  p99 {cuts[98]:.0f} ms  goal {GOAL_MS} ms")


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--count", type=int, default=300)
    words.add_argument("--beside", type=int, default=2)
    given = words.parse_args()
    asyncio.run(run(given.count, given.beside))
