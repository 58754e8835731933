"""The address of the platform has one spelling, because tokens are compared with it."""

import pytest

from polyclinic.foundation.settings import Platform, load


@pytest.mark.parametrize(
    "said", ["https://clinic.example", "https://clinic.example/", " https://clinic.example// "]
)
def test_a_slash_at_the_end_of_the_public_url_does_not_matter(said: str):
    environ = {"POLYCLINIC_PUBLIC_URL": said}
    assert load(Platform, None, environ).public_url == "https://clinic.example"


@pytest.mark.parametrize("said", ["", "/"])
def test_an_empty_public_url_is_none(said: str):
    assert load(Platform, None, {"POLYCLINIC_PUBLIC_URL": said}).public_url is None
