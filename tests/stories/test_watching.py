"""A real Prometheus reads a real clinic: every number asked for is there, and alerts fire."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from story_clinic import Clinic, free_port, until

from polyclinic.foundation.telemetry import Metrics
from polyclinic.services.migration.actions.meters import meters_of

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/rules/polyclinic.yml"
OWN = re.compile(r"\b(polyclinic_[a-z0-9_]+)\b")
PARTS = ("_bucket", "_sum", "_count", "_total", "")


def asked_for() -> dict[str, str]:
    """Each metric that a rule or a dashboard names, and where."""
    found: dict[str, str] = {}
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            for name in OWN.findall(rule["expr"]):
                found[name] = RULES.name
    for board in (ROOT / "deploy/grafana/dashboards").glob("*.json"):
        for panel in json.loads(board.read_text())["panels"]:
            for target in panel["targets"]:
                for name in OWN.findall(target["expr"]):
                    found[name] = f"{board.name}: {panel['title']}"
    return found


def test_every_number_that_rules_and_dashboards_ask_for_is_told(one_process: Clinic):
    told: set[str] = set()
    for family in text_string_to_metric_families(one_process.api().get("/metrics").text):
        told |= {family.name + part for part in PARTS}
    gateway = Metrics("migration")  # its numbers begin with the gateway's own port
    meters_of(gateway)
    for family in gateway.registry.collect():
        told |= {family.name + part for part in PARTS}
    asked = asked_for()
    assert len(asked) > 12
    assert {name: where for name, where in asked.items() if name not in told} == {}


@pytest.fixture
def prometheus(one_process: Clinic, tmp_path: Path) -> Iterator[str]:
    """Prometheus with our own rules, hurried, beside a clinic and a process that is not there."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus here: scripts/prometheus.sh could not install it")
    rules: dict[str, Any] = yaml.safe_load(RULES.read_text())
    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = "2s"
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    here = one_process.url.removeprefix("http://")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {
                "job_name": "polyclinic",
                "static_configs": [{"targets": [here, f"127.0.0.1:{free_port()}"]}],
            }
        ],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    words = [
        program,
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def asked(url: str, path: str, **what: str) -> Any:
    try:
        answer = httpx.get(f"{url}/api/v1/{path}", params=what, trust_env=False, timeout=5)
    except httpx.TransportError:
        return None
    return answer.json()["data"] if answer.status_code == 200 else None


def test_a_real_prometheus_reads_the_clinic_and_pages_for_what_is_gone(
    one_process: Clinic, prometheus: str
):
    one_process.api().get("/identity/jwks")

    def counted() -> bool:
        asked_now = asked(
            prometheus, "query", query='sum(polyclinic_request_seconds_count{service="identity"})'
        )
        return bool(asked_now and asked_now["result"])

    until(lambda: counted() or None, 30, "numbers in Prometheus")

    def firing() -> list[dict[str, Any]] | None:
        every = asked(prometheus, "alerts")
        return [a for a in (every or {}).get("alerts", []) if a["state"] == "firing"] or None

    fired = until(firing, 30, "an alert")
    assert {each["labels"]["alertname"] for each in fired} == {"ServiceDown"}
    assert len(fired) == 1, "the clinic that answers is not among them"
    assert fired[0]["annotations"]["runbook"] == "docs/runbooks/service-down.md"
