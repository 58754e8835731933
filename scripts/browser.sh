#!/bin/sh
# The browser tests drive the system's Chromium. Installs Debian's where that is allowed.
set -eu

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
for app in "Google Chrome" "Chromium"; do
    if [ -x "/Applications/$app.app/Contents/MacOS/$app" ]; then exit 0; fi
done

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Debian's chromium for the browser tests ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    if { apt-get install -qq --yes --no-install-recommends chromium ||
         { apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium; }; } >/dev/null 2>&1; then
        exit 0
    fi
    echo "apt could not install it." >&2
fi
case $(uname) in
    Darwin) echo "The browser tests need Chromium: brew install --cask chromium" >&2 ;;
    *) echo "The browser tests need Chromium: sudo apt install chromium" >&2 ;;
esac
