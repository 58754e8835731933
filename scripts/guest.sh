#!/bin/sh
# A power cut is tried on a machine inside this one: QEMU with Debian's kernel, which is unpacked into
# build/guest and not installed. Where that is not to be had, those tests say so and are left out.
set -eu
guest=build/guest
if command -v qemu-system-x86_64 >/dev/null 2>&1 && [ -d "$guest/boot" ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Fetching Debian's QEMU and kernel for the tests of a power cut ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    needed="qemu-system-x86 busybox-static cpio e2fsprogs"
    if { apt-get install -qq --yes --no-install-recommends $needed ||
         { apt-get update -qq && apt-get install -qq --yes --no-install-recommends $needed; }; } >/dev/null 2>&1; then
        kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
        mkdir -p "$guest"
        if (cd "$guest" && apt-get download -qq "$kernel" && dpkg -x "$kernel"_*.deb . && rm "$kernel"_*.deb) >/dev/null 2>&1; then
            exit 0
        fi
    fi
fi
echo "No QEMU or no kernel here: the tests of a power cut are left out." >&2
