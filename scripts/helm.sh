#!/bin/sh
# The chart's tests render it with Helm. Builds it with Go where there is one and its proxy answers;
# where not, those tests say so and are left out.
set -eu
cd "$(dirname "$0")/.."
version=v3.22.0
if command -v helm >/dev/null 2>&1 || [ -x build/bin/helm ]; then exit 0; fi
command -v go >/dev/null 2>&1 || { echo "No helm and no Go: the chart's tests are left out." >&2; exit 0; }
echo "Building helm $version for the chart's tests (some minutes, once) ..." >&2
mkdir -p build/bin
GOBIN="$PWD/build/bin" nice go install "helm.sh/helm/v3/cmd/helm@$version" >build/helm.log 2>&1 ||
    echo "Go could not build helm (build/helm.log): the chart's tests are left out." >&2
