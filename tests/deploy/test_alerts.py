"""Alerts fire when they should, name a page that is there, and dashboards can be read."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from polyclinic.assembly.services import SERVICES

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
RULES = PROMETHEUS / "rules/polyclinic.yml"


def alerts() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from (rule for rule in group["rules"] if "alert" in rule)


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool here: scripts/prometheus.sh could not install it")
    return found


def run(*words: str) -> None:
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_rules_do_in_promtool_what_their_tests_say(promtool: str):
    run(promtool, "check", "rules", str(RULES))
    run(promtool, "test", "rules", str(PROMETHEUS / "tests/polyclinic.yml"))


def test_prometheus_takes_both_configurations(promtool: str):
    for name in ("one-process", "per-service"):
        run(promtool, "check", "config", str(PROMETHEUS / f"{name}.yml"))


def test_every_alert_leads_to_a_page_that_names_it():
    seen = 0
    for alert in alerts():
        page = ROOT / alert["annotations"]["runbook"]
        assert page.exists(), alert["alert"]
        if alert["alert"] != "ServiceDown":
            assert alert["alert"] in page.read_text(), f"{page.name} does not name {alert['alert']}"
        assert alert["labels"]["severity"] in ("page", "ticket")
        seen += 1
    assert seen > 10


def test_prometheus_reads_every_service_of_an_installation_apart():
    config = yaml.safe_load((PROMETHEUS / "per-service.yml").read_text())
    names = config["scrape_configs"][0]["dns_sd_configs"][0]["names"]
    assert set(names) == {service.name for service in SERVICES} | {"edge"}


def test_dashboards_can_be_read_and_each_panel_says_what_it_shows():
    boards = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
    assert len(boards) >= 2
    for board in boards:
        read = json.loads(board.read_text())
        assert read["uid"] == board.stem
        numbers = [panel["id"] for panel in read["panels"]]
        assert len(numbers) == len(set(numbers))
        for panel in read["panels"]:
            assert panel["description"], panel["title"]
            assert panel["targets"][0]["datasource"]["uid"] == "prometheus"


def test_models_are_watched():
    board = (ROOT / "deploy/grafana/dashboards/polyclinic-clinic.json").read_text()
    for name in ("state", "answers_total", "drifts", "observed_over_expected"):
        assert f"polyclinic_insights_model_{name}" in board
    assert any("polyclinic_insights_model_drifts" in alert["expr"] for alert in alerts())


def test_no_dashboard_and_no_rule_asks_by_patient():
    asked = [rule["expr"] for rule in alerts()]
    for board in (ROOT / "deploy/grafana/dashboards").glob("*.json"):
        asked += [t["expr"] for p in json.loads(board.read_text())["panels"] for t in p["targets"]]
    for expression in asked:
        assert not re.search(r"patient|subject|person|account", expression), expression
