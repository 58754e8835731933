"""The shared look: vendored files are what they say they are, and are kept by browsers."""

import base64
import gzip
import hashlib
import json
from importlib.resources import files
from pathlib import Path

from portal_door import Door

LOOK = Path(str(files("polyclinic.foundation.look")))
VENDOR = LOOK / "static/vendor"


def test_every_vendored_file_is_named_with_its_version_hash_and_licence():
    lock = json.loads((VENDOR / "vendor.lock.json").read_text())
    for entry in lock:
        digest = hashlib.sha384((VENDOR / entry["file"]).read_bytes()).digest()
        assert entry["sha384"] == base64.b64encode(digest).decode(), entry["file"]
        assert entry["version"] in entry["file"]
        assert entry["licence"] in (VENDOR / entry["licence_text"]).read_text() or entry[
            "licence"
        ] in {
            "MIT",
            "OFL-1.1",
            "0BSD",
        }
    kept = {p.name for p in VENDOR.iterdir() if p.is_file()} - {"vendor.lock.json"}
    assert kept == {entry["file"] for entry in lock}


def test_no_style_or_script_names_another_host():
    for path in [*LOOK.rglob("*.css"), *LOOK.glob("static/*.js")]:
        text = path.read_text()
        assert "url(http" not in text
        assert "@import" not in text


async def test_a_static_file_is_compressed_and_kept_for_ever_under_its_hash(portal_door: Door):
    async with portal_door.client() as browser:
        page = await browser.get("/signed-out")
        address = next(p for p in page.text.split('"') if p.startswith("/static/house.css?v="))
        styled = await browser.get(address)
        assert styled.headers["cache-control"].endswith("immutable")
        assert styled.headers["content-encoding"] == "gzip"
        plain = await browser.get("/static/house.css", headers={"accept-encoding": "identity"})
        assert plain.headers["cache-control"] == "no-cache"
        assert plain.content == styled.content == (LOOK / "static/house.css").read_bytes()
        again = await browser.get(address, headers={"if-none-match": styled.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert len(gzip.compress(plain.content)) < 12_000


async def test_only_files_of_the_look_are_served(portal_door: Door):
    async with portal_door.client() as browser:
        for name in ("../__init__.py", "..%2f__init__.py", "vendor", "nothing.css"):
            assert (await browser.get(f"/static/{name}")).status_code == 404
        assert (await browser.get("/favicon.ico")).status_code == 308
