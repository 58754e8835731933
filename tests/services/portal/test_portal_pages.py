"""The portal's pages through its door, on a real database, with records kept in memory."""

from datetime import timedelta

import pytest
import sample
from portal_door import COOKIE, Door

from polyclinic.foundation import clock
from polyclinic.foundation.html import POLICY
from polyclinic.foundation.settings import Platform
from polyclinic.services.portal.actions import sessions

PATIENT_PAGES = ("/home", "/results", "/results/4548-4", "/medicines", "/conditions")
CHART_PAGES = ("", "/results", "/results/4548-4", "/medicines", "/problems", "/visits")


@pytest.mark.parametrize("path", PATIENT_PAGES)
async def test_a_patient_reads_each_of_their_pages(portal_door: Door, path: str):
    maria = await portal_door.as_("patient", "Patient/maria")
    page = await maria.get(path)
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == POLICY
    assert page.headers["cache-control"] == "no-store"
    assert "style=" not in page.text
    assert "<script>" not in page.text
    # The title of a tab is kept by browsers: it names no patient.
    assert "Keller" not in page.text.partition("</title>")[0]


@pytest.mark.parametrize("end", CHART_PAGES)
async def test_a_clinician_reads_each_page_of_a_chart_in_their_care(portal_door: Door, end: str):
    ruiz = await portal_door.as_("clinician", "Practitioner/ruiz")
    page = await ruiz.get(f"/patients/maria{end}")
    assert page.status_code == 200
    assert "KELLER, Maria" in page.text
    assert "Penicillin: anaphylaxis" in page.text


@pytest.mark.parametrize("end", CHART_PAGES)
async def test_a_chart_without_a_care_relation_is_closed(portal_door: Door, end: str):
    ruiz = await portal_door.as_("clinician", "Practitioner/ruiz")
    page = await ruiz.get(f"/patients/tom{end}")
    assert page.status_code == 403
    assert "This chart is not open to you" in page.text
    assert "Keller" not in page.text
    assert {kind for kind, _ in portal_door.records.asked} <= {"Encounter", "CareTeam"}


async def test_any_patient_is_found_by_name_and_the_relation_is_marked(portal_door: Door):
    ruiz = await portal_door.as_("clinician", "Practitioner/ruiz")
    page = await ruiz.post("/patients", q="keller")
    assert page.status_code == 200
    assert page.text.count("In your care") == 1
    assert page.text.count("Chart closed") == 1
    part = await ruiz.post("/patients", {"hx-request": "true"}, q="keller")
    assert part.text.lstrip().startswith('<section id="found"')


async def test_a_search_that_cannot_work_keeps_what_was_typed(portal_door: Door):
    ruiz = await portal_door.as_("clinician", "Practitioner/ruiz")
    page = await ruiz.post("/patients", q="2/30/1968")
    assert page.status_code == 422
    assert "<title>Error:" in page.text
    assert 'value="2/30/1968"' in page.text


async def test_text_from_records_is_never_markup(portal_door: Door):
    evil = "<script>alert(1)</script>"
    portal_door.records.resources[:] = [
        sample.patient(name=[{"family": evil, "given": ['"><img src=x>']}]),
        sample.observation("4548-4", evil, "2026-01-01", None, valueString=evil),
        {**sample.record()[-4], "resourceType": "Condition", "code": {"text": evil}},
    ]
    maria = await portal_door.as_("patient", "Patient/maria")
    for path in ("/home", "/results", "/conditions"):
        page = await maria.get(path)
        assert page.status_code == 200
        assert evil not in page.text
        assert "<img src=x>" not in page.text


async def test_the_front_desk_sees_who_somebody_is_and_nothing_of_their_health(portal_door: Door):
    desk = await portal_door.as_("front-desk")
    found = await desk.post("/desk", q="keller")
    assert found.text.count('href="/desk/') == 2
    page = await desk.get("/desk/maria")
    assert "617-555-0143" in page.text
    assert "Penicillin" not in page.text
    assert "appointments service" in (await desk.get("/desk")).text
    assert {kind for kind, _ in portal_door.records.asked} == {"Patient"}


@pytest.mark.parametrize(
    ("role", "closed"),
    [
        ("patient", ("/patients", "/patients/maria", "/desk", "/admin")),
        ("clinician", ("/home", "/results", "/desk", "/admin")),
        ("front-desk", ("/home", "/patients", "/patients/maria", "/admin")),
        ("administrator", ("/home", "/patients", "/patients/maria", "/desk")),
        ("billing", ("/home", "/patients", "/desk", "/admin")),
    ],
)
async def test_each_role_has_its_own_pages(portal_door: Door, role: str, closed: tuple[str, ...]):
    somebody = await portal_door.as_(role, "Patient/maria" if role == "patient" else None)
    first = await somebody.get("/")
    assert (await somebody.get(first.headers["location"])).status_code == 200
    for path in closed:
        assert (await somebody.get(path)).status_code == 403, path


async def test_strangers_are_sent_to_sign_in_and_come_back_to_their_page(portal_door: Door):
    async with portal_door.client() as stranger:
        answer = await stranger.get("/results")
        assert answer.headers["location"] == "/sign-in?next=/results"
        way = await stranger.get(answer.headers["location"])
        assert way.status_code == 303
        for said in ("code_challenge_method=S256", "state=", "nonce=", "client_id=portal"):
            assert said in way.headers["location"]
        cookie = way.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "Path=/", "SameSite=lax"))


@pytest.mark.parametrize(
    ("public_url", "host", "is_plain"),
    [
        ("https://clinic.example", "clinic.example", False),
        # Whoever tries the real address's installation from its own computer changes nothing.
        ("https://clinic.example", "127.0.0.1:8080", False),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("http://localhost:8080", "127.0.0.1:8080", True),
        (None, "127.0.0.1:8080", True),
        (None, "[::1]:8080", True),
    ],
)
async def test_cookies_are_secure_but_on_ones_own_computer_without_tls(
    portal_door: Door, public_url: str | None, host: str, is_plain: bool
):
    portal_door.running.platform = Platform(public_url=public_url)
    async with portal_door.client() as stranger:
        begun = (await stranger.get("/sign-in", headers={"host": host})).headers["set-cookie"]
    assert begun.startswith("polyclinic-sign-in=" if is_plain else "__Host-polyclinic-sign-in=")
    assert ("Secure" in begun) is not is_plain
    maria = await portal_door.as_("patient", "Patient/maria")
    names = ("polyclinic", "__Host-polyclinic")
    kept, other = names if is_plain else names[::-1]
    for name, status in ((kept, 200), (other, 303)):
        async with portal_door.client({name: maria.secret}) as browser:
            answer = await browser.get("/home", headers={"host": host})
        # A plain cookie is worth nothing where a Secure one is expected.
        assert answer.status_code == status, name
    async with portal_door.client({kept: maria.secret}) as browser:
        form = {"csrf": maria.session.csrf}
        site = {"sec-fetch-site": "same-origin", "host": host}
        gone = (await browser.post("/sign-out", data=form, headers=site)).headers["set-cookie"]
    assert gone.startswith(f'{kept}="";')
    assert ("Secure" in gone) is not is_plain


async def test_an_unsafe_address_does_not_begin_to_sign_in(portal_door: Door):
    async with portal_door.client() as stranger:
        answer = await stranger.get("/sign-in", headers={"host": "clinic.example"})
    assert answer.status_code == 400
    assert "POLYCLINIC_PUBLIC_URL" in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_form_from_elsewhere_is_refused(portal_door: Door):
    maria = await portal_door.as_("patient", "Patient/maria")
    wrong_token = await maria.post("/session/theme", theme="dark", csrf="x")
    other_site = await maria.post("/session/theme", {"sec-fetch-site": "cross-site"}, theme="dark")
    other_origin = await maria.post(
        "/session/theme", {"origin": "http://evil.example"}, theme="dark"
    )
    nowhere = {"sec-fetch-site": "none", "origin": "null"}
    no_origin = await maria.post("/session/theme", nowhere, theme="dark")
    refused = (wrong_token, other_site, other_origin, no_origin)
    assert {a.status_code for a in refused} == {403}
    assert 'data-theme="system"' in (await maria.get("/home")).text


async def test_a_chosen_theme_is_kept_for_the_person(portal_door: Door):
    maria = await portal_door.as_("patient", "Patient/maria")
    answer = await maria.post("/session/theme", theme="dark", back="/results")
    assert answer.headers["location"] == "/results"
    again = await portal_door.as_("patient", "Patient/maria")
    assert 'data-theme="dark"' in (await again.get("/home")).text
    assert (await maria.post("/session/theme", theme="pink")).status_code == 400


async def test_signing_out_ends_the_session_here_and_at_identity(portal_door: Door):
    maria = await portal_door.as_("patient", "Patient/maria")
    answer = await maria.post("/sign-out")
    assert answer.headers["location"] == "/signed-out"
    assert portal_door.identity.revoked == ["refresh-1"]
    assert (await maria.get("/home")).status_code == 303


async def test_somebody_who_does_nothing_is_signed_out(
    portal_door: Door, monkeypatch: pytest.MonkeyPatch
):
    maria = await portal_door.as_("patient", "Patient/maria", expires_at=2e10)
    start = clock.now()
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(minutes=20))
    assert (await maria.get("/session/left")).json()["seconds"] == pytest.approx(600, abs=5)
    assert (await maria.post("/session/stay", {"accept": "application/json"})).json()[
        "seconds"
    ] > 1790
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(minutes=45))
    assert (await maria.get("/home")).status_code == 200
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(minutes=76))
    assert (await maria.get("/session/left")).json() == {"seconds": 0}
    assert (await maria.get("/home")).headers["location"] == "/signed-out?why=idle&next=/home"
    await sessions.forget_ended(portal_door.portal, clock.now())
    assert await portal_door.portal.database.fetchval("SELECT count(*) FROM portal.session") == 0


async def test_tokens_are_renewed_once_before_they_end(portal_door: Door):
    ends = clock.now().timestamp() + 30
    ruiz = await portal_door.as_("clinician", "Practitioner/ruiz", expires_at=ends)
    assert (await ruiz.get("/patients/maria")).status_code == 200
    assert (await ruiz.get("/patients/maria")).status_code == 200
    assert portal_door.identity.renewed == ["refresh-1"]


async def test_who_is_disabled_at_identity_is_signed_out_at_renewal(portal_door: Door):
    ruiz = await portal_door.as_("clinician", "Practitioner/ruiz", expires_at=0)
    portal_door.identity.ended = True
    assert (await ruiz.get("/patients")).headers["location"].startswith("/signed-out")


async def test_the_database_alone_opens_no_session(portal_door: Door):
    maria = await portal_door.as_("patient", "Patient/maria")
    row = await portal_door.portal.database.fetchrow("SELECT id, sealed FROM portal.session")
    assert row is not None
    kept = bytes(row["id"]) + bytes(row["sealed"])
    for secret in (maria.secret, maria.session.csrf, "patient-token", "refresh-1", "Keller"):
        assert secret.encode() not in kept
    async with portal_door.client({COOKIE: bytes(row["id"]).hex()}) as thief:
        assert (await thief.get("/home")).status_code == 303


async def test_a_part_that_is_down_is_named_and_the_rest_is_shown(portal_door: Door):
    maria = await portal_door.as_("patient", "Patient/maria")
    portal_door.records.down = {"Observation"}
    page = await maria.get("/home")
    assert page.status_code == 200
    assert "test results, vital signs" in page.text
    assert "No results yet" not in page.text
    assert "Metformin" in page.text


async def test_without_records_the_page_says_so_and_recovers(portal_door: Door):
    maria = await portal_door.as_("patient", "Patient/maria")
    portal_door.records.down = {"*"}
    for path in PATIENT_PAGES:
        page = await maria.get(path)
        assert page.status_code == 503
        assert "Your record cannot be reached at the moment" in page.text
        assert "since" in page.text
    portal_door.records.down = set()
    assert (await maria.get("/home")).status_code == 200


async def test_allergies_that_did_not_come_are_not_shown_as_none(portal_door: Door):
    ruiz = await portal_door.as_("clinician", "Practitioner/ruiz")
    portal_door.records.down = {"AllergyIntolerance"}
    page = await ruiz.get("/patients/maria")
    assert "Not loaded" in page.text
    assert "No allergies recorded" not in page.text


@pytest.mark.parametrize(
    "path", ["/patients/a%2Fb", "/patients/..%5c", "/results/nothing", "/nowhere"]
)
async def test_what_is_not_there_is_a_calm_404(portal_door: Door, path: str):
    role = "patient" if path.startswith("/results") else "clinician"
    somebody = await portal_door.as_(role, "Patient/maria")
    page = await somebody.get(path)
    assert page.status_code == 404
    assert "There is nothing at this address" in page.text


async def test_an_administrator_sees_how_the_services_are(portal_door: Door):
    admin = await portal_door.as_("administrator")
    page = await admin.get("/admin")
    assert page.text.count("Ready") == 1
    assert "Does not answer" not in page.text
    assert "The calendar, booking and the waitlist" in page.text


async def test_a_results_filter_shows_what_fits(portal_door: Door):
    maria = await portal_door.as_("patient", "Patient/maria")
    page = await maria.get("/results?panel=Cholesterol")
    assert "LDL cholesterol" in page.text
    assert "Potassium" not in page.text
    outside = await maria.get("/results?outside=yes")
    assert "In usual range" not in outside.text
    assert (await maria.get("/results?panel=x&days=99999999")).status_code == 200


async def test_without_audit_the_list_of_who_saw_is_hidden_and_its_page_says_why(portal_door: Door):
    maria = await portal_door.as_("patient")
    assert "/who-saw" not in (await maria.get("/home")).text
    page = await maria.get("/who-saw")
    assert page.status_code == 503
    assert "audit" in page.text
