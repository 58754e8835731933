#!/bin/sh
# Prepares .venv: uv pinned by hash, then everything of requirements-dev.lock, then ourselves.
# Fast when nothing changed: the stamp is the hash of all that decides what .venv holds.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "Python 3.11 or newer is needed, and '$python' is not. Name another one: make PYTHON=python3.12 setup"
    exit 1
fi

wanted=$("$python" -c '
import hashlib, os, sys
files = "requirements-uv.lock requirements-dev.lock pyproject.toml scripts/setup.sh".split()
parts = [open(file, "rb").read() for file in files]
parts += [os.getcwd().encode(), sys.version.encode()]
print(hashlib.sha256(b"\0".join(parts)).hexdigest())')

if [ "$(cat .venv/ready 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

say "Setting up .venv ..."
rm -f .venv/ready
# A folder that moved, or a Python that went away, leaves scripts which point nowhere.
if ! .venv/bin/python -c 'import os, sys; sys.exit(not os.path.samefile(sys.prefix, ".venv"))' 2>/dev/null; then
    rm -rf .venv
    if ! "$python" -m venv .venv; then
        rm -rf .venv
        say "'$python' has no working venv module. On Debian: apt install python3-venv"
        exit 1
    fi
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
VIRTUAL_ENV=$PWD/.venv
export VIRTUAL_ENV
.venv/bin/python -m uv pip sync --quiet --require-hashes requirements-dev.lock
# hatchling is in the lock: building ourselves fetches nothing.
.venv/bin/python -m uv pip install --quiet --no-deps --no-build-isolation --offline --editable .
printf '%s\n' "$wanted" > .venv/ready
