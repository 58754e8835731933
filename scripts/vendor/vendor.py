"""Makes `foundation/look/static/vendor` out of the npm packages of package.json.

Run it in this folder after `npm ci` (`python3 vendor.py`); what it makes is committed, so that an
installation needs Python only. Every file carries its version in its name and its sha384 in
`vendor.lock.json`, which a test compares with the bytes.
"""

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
TARGET = HERE.parents[1] / "src/polyclinic/foundation/look/static/vendor"

# package → licence, file inside the package that holds its text, files taken → new names
TAKEN: dict[str, tuple[str, str, dict[str, str]]] = {
    "@fontsource-variable/figtree": (
        "OFL-1.1",
        "LICENSE",
        {
            "files/figtree-latin-wght-normal.woff2": "figtree-{v}-latin.woff2",
            "files/figtree-latin-ext-wght-normal.woff2": "figtree-{v}-latin-ext.woff2",
        },
    ),
    "@fontsource-variable/inter": (
        "OFL-1.1",
        "LICENSE",
        {
            "files/inter-latin-wght-normal.woff2": "inter-{v}-latin.woff2",
            "files/inter-latin-ext-wght-normal.woff2": "inter-{v}-latin-ext.woff2",
        },
    ),
    "htmx.org": ("0BSD", "LICENSE", {"dist/htmx.min.js": "htmx-{v}.min.js"}),
}


def main() -> None:
    if not MODULES.is_dir():
        raise SystemExit("Run `npm ci` in scripts/vendor first.")
    shutil.rmtree(TARGET, ignore_errors=True)
    (TARGET / "licences").mkdir(parents=True)
    lock = [entry for package in TAKEN for entry in _take(package)]
    lock.append(_compile())
    lock.sort(key=lambda entry: entry["file"])
    (TARGET / "vendor.lock.json").write_text(json.dumps(lock, indent=2) + "\n")


def _take(package: str) -> list[dict[str, str]]:
    licence, text, files = TAKEN[package]
    version = _version(package)
    note = f"licences/{package.replace('/', '-').lstrip('@')}.txt"
    shutil.copyfile(MODULES / package / text, TARGET / note)
    for source, name in files.items():
        shutil.copyfile(MODULES / package / source, TARGET / name.format(v=version))
    names = [name.format(v=version) for name in files.values()]
    return [_entry(name, package, version, licence, note) for name in names]


def _compile() -> dict[str, str]:
    package = "govuk-frontend"
    version = _version(package)
    name, note = f"govuk-{version}.css", "licences/govuk-frontend.txt"
    # The npm package carries no licence file: the text is that of its repository's LICENSE.txt.
    shutil.copyfile(HERE / "govuk-frontend.licence.txt", TARGET / note)
    command = [MODULES / ".bin/sass", "--load-path=node_modules", "--style=compressed"]
    subprocess.run(
        [*command, "--no-source-map", "--quiet-deps", "gov.scss", str(TARGET / name)],
        cwd=HERE,
        check=True,
    )
    return _entry(name, package, version, "MIT", note)


def _version(package: str) -> str:
    return json.loads((MODULES / package / "package.json").read_text())["version"]


def _entry(name: str, package: str, version: str, licence: str, note: str) -> dict[str, str]:
    digest = hashlib.sha384((TARGET / name).read_bytes()).digest()
    return {
        "file": name,
        "package": package,
        "version": version,
        "sha384": base64.b64encode(digest).decode(),
        "licence": licence,
        "licence_text": note,
    }


main()
