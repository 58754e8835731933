"""Pages made from the code are the committed ones."""

from pathlib import Path

from polyclinic.assembly.services import SERVICES
from polyclinic.cli.describing import settings_page, show_map

ROOT = Path(__file__).parents[2]


def test_the_settings_page_is_the_one_that_the_code_makes():
    committed = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert committed == settings_page(), "run `polyclinic settings`"


def test_the_map_names_every_service_and_whom_it_asks():
    shown = show_map()
    for service in SERVICES:
        assert f"{service.name} [{service.security_class}]" in shown
        assert all(need in shown for need in service.needs)
