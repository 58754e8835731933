"""The compose files name every service, close what need not be open, and begin in an order."""

import gzip
import subprocess
from pathlib import Path
from typing import Any

import yaml

from polyclinic.assembly.services import SERVICES
from polyclinic.cli import parser
from polyclinic.foundation.peers import parse

ROOT = Path(__file__).parents[2]
NAMES = tuple(service.name for service in SERVICES)


def ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {n: s for n, s in compose["services"].items() if "polyclinic" in s["image"]}


def test_every_service_is_started_once(compose: dict[str, Any]):
    started: list[str] = []
    for service in ours(compose).values():
        words = service["command"]
        if words[:1] == ["serve"]:
            started += [word for word in words[1:] if not word.startswith("--")]
    assert sorted(started) == sorted(NAMES)


def test_every_command_is_one_that_the_command_line_knows(compose: dict[str, Any]):
    for name, service in ours(compose).items():
        if service.get("entrypoint") is None:
            assert callable(parser().parse_args(service["command"]).command), name


def test_containers_are_small_closed_and_not_root(compose: dict[str, Any]):
    for name, service in ours(compose).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if name != "volumes":  # gives the empty volumes to the clinic's user, and ends
            assert service["user"] == "10001:10001", name
        else:
            assert service["network_mode"] == "none"
            assert service["restart"] == "no"


def test_ports_are_open_on_this_machine_alone_and_the_database_to_nobody(compose: dict[str, Any]):
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
    assert "ports" not in compose["services"]["postgres"]
    assert compose["networks"]["data"] == {"internal": True}


def test_no_password_stands_in_the_files(compose: dict[str, Any]):
    text = yaml.safe_dump(compose)
    assert "POSTGRES_PASSWORD: ${DATABASE_PASSWORD:?" in text
    assert "GF_SECURITY_ADMIN_PASSWORD: ${GRAFANA_PASSWORD:?" in text


def test_apart_the_services_know_each_other_and_no_owner():
    compose = yaml.safe_load((ROOT / "deploy/compose/per-service.yaml").read_text())
    for name in NAMES:
        told = compose["services"][name]["environment"]
        assert "@" not in told["POLYCLINIC_DATABASE_URL"]
        assert told["POLYCLINIC_MIGRATE"] == "false"
        peers = parse(told["POLYCLINIC_PEERS"])
        assert peers == {each: f"http://{each}:8080" for each in NAMES}
        assert compose["services"][name]["volumes"] == ["keys:/keys:ro"]
    edge = compose["services"]["edge"]
    assert edge["volumes"] == ["edge:/edge:ro"]
    assert "data" not in edge["networks"]
    assert set(edge["environment"]) == {"POLYCLINIC_EDGE_KEY_FILE", "POLYCLINIC_PEERS"}


def test_the_image_is_not_root_and_installs_only_what_the_locks_name():
    lines = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    assert "USER 10001:10001" in lines
    text = "\n".join(lines)
    assert text.count("--require-hashes") == 2
    for copied in ("requirements.lock", "requirements-build.lock", "src"):
        assert copied in text
        assert f"!{copied}" in (ROOT / ".dockerignore").read_text()
    assert (ROOT / "requirements-build.lock").exists()


def test_each_piece_of_the_log_is_kept_once_and_never_over_another(
    compose: dict[str, Any], tmp_path: Path
):
    postgres = compose["services"]["postgres"]
    assert {"database:/var/lib/postgresql", "backups:/backups"} == set(postgres["volumes"])
    said = dict(w.removeprefix("-c").split("=", 1) for w in postgres["command"] if "=" in w)
    assert said["archive_mode"] == "on"
    (tmp_path / "wal").mkdir()
    piece = tmp_path / "piece"

    def archived(content: bytes) -> int:
        piece.write_bytes(content)
        line = said["archive_command"].replace("/backups", str(tmp_path))
        line = line.replace("%p", str(piece)).replace("%f", "000000010000000000000001")
        return subprocess.run(["/bin/sh", "-c", line], check=False).returncode

    assert archived(b"first") == 0
    assert archived(b"first") == 0, "a server that died before it noted it asks again"
    assert archived(b"other") != 0
    kept = list((tmp_path / "wal").iterdir())
    assert [each.name for each in kept] == ["000000010000000000000001.gz"]
    assert gzip.decompress(kept[0].read_bytes()) == b"first"
    assert archived(b"first") == 0
    assert (
        f"gunzip < /backups/wal/{kept[0].name.replace('000000010000000000000001', '%f')} > %p"
        in (ROOT / "docs/guides/deploy-compose.md").read_text()
    ), "the way back unpacks"


def test_folders_of_volumes_are_made_and_a_start_that_was_cut_off_is_made_good(
    compose: dict[str, Any], tmp_path: Path
):
    service = compose["services"]["volumes"]
    assert compose["services"]["postgres"]["depends_on"]["volumes"]
    (script,) = service["command"]
    for name in ("keys", "edge", "backups"):
        (tmp_path / name).mkdir()
        script = script.replace(f"/{name}", str(tmp_path / name))
    (tmp_path / "backups/base").mkdir()  # and then it was cut off
    told = script.replace("chown", "echo")
    for _ in range(2):
        ran = subprocess.run(
            ["/bin/sh", "-euc", told], check=True, capture_output=True, text=True
        ).stdout
        assert f"999:999 {tmp_path}/backups/wal {tmp_path}/backups/base" in ran
    assert {each.name for each in (tmp_path / "backups").iterdir()} == {"wal", "base"}
