"""What an installation elsewhere is made of, read as the tools read it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/polyclinic"
KUBERNETES = "1.33.0"


@pytest.fixture(scope="session")
def helm() -> str:
    own = ROOT / "build/bin/helm"
    found = str(own) if own.exists() else shutil.which("helm")
    if found is None:
        pytest.skip("no helm here: scripts/helm.sh could not build it")
    return found


@pytest.fixture(scope="session")
def render(helm: str):
    def rendered(*sets: str) -> list[dict[str, Any]]:
        words = [word for each in sets for word in ("--set", each)]
        told = subprocess.run(
            [helm, "template", "clinic", CHART, "--kube-version", KUBERNETES, *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stderr
        return [each for each in yaml.safe_load_all(told.stdout) if each]

    return rendered


@pytest.fixture(params=["one-process", "per-service"])
def compose(request: pytest.FixtureRequest) -> dict[str, Any]:
    return yaml.safe_load((ROOT / f"deploy/compose/{request.param}.yaml").read_text())
