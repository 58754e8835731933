"""A clinician opens a chart, the patient reads who it was, and the clinic proves it."""

import subprocess
import sys

from story_clinic import PEOPLE, Clinic, until

MARIA = PEOPLE["maria"].person.partition("/")[2]


def test_a_look_is_read_by_the_patient_and_proven_by_the_clinic(topology: Clinic):
    ruiz = topology.signed_in("ruiz")
    assert ruiz.get(f"/patients/{MARIA}").status_code == 200
    maria = topology.signed_in("maria")
    assert 'href="/who-saw"' in maria.get("/home").text

    def told() -> bool:
        page = maria.get("/who-saw")
        assert page.status_code == 200
        return "Dr Ana Ruiz" in page.text and "test results" in page.text

    until(told, 60, "the look in the patient's list")
    words = ("audit", "verify", *topology.operator)
    proven = subprocess.run(
        [sys.executable, "-m", "polyclinic", *words], capture_output=True, text=True, check=False
    )
    assert proven.returncode == 0, proven.stdout + proven.stderr
    assert "Nothing is broken." in proven.stdout
    for source in ("records.access", "appointments.access", "identity.security"):
        assert source in proven.stdout
