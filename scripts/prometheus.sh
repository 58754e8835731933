#!/bin/sh
# Alerts are tried with a real Prometheus. Installs Debian's where that is allowed; where not, those
# tests say so and are left out.
set -eu
if command -v promtool >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Debian's prometheus for the tests of alerts ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    if { apt-get install -qq --yes --no-install-recommends prometheus ||
         { apt-get update -qq && apt-get install -qq --yes --no-install-recommends prometheus; }; } >/dev/null 2>&1; then
        exit 0
    fi
fi
echo "No promtool here: the tests of alerts are left out." >&2
