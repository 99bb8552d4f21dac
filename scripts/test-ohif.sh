#!/usr/bin/env bash
# Checks, builds and tests the OHIF extension in Chromium, with every version of OHIF. Called by `make test-ohif`.
#
#   scripts/test-ohif.sh PROGRAM [OHIF_VERSION...]
set -euo pipefail
SPINEFX_PROGRAM=$(realpath "$1")
export SPINEFX_PROGRAM
shift
cd "$(dirname "$0")/.."
. scripts/ohif-versions.sh
export PATH=$PWD/.tools/bin:$PATH
[ $# -gt 0 ] || set -- "${OHIF_VERSIONS[@]}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SPINEFX_FIXTURES=$work/fixtures

cd clients/ohif
node build.mjs
node_modules/.bin/prettier --check --log-level warn .
node_modules/.bin/tsc -p .
# One file at a time: each has an archive, a server and a browser of its own.
run() { node --test --test-concurrency=1 --test-reporter=spec "$@"; }
run test/unit.test.mjs
for version in "$@"; do
  echo "OHIF $version"
  OHIF_VERSION=$version run test/panel.test.mjs test/server.test.mjs
done
# What lies between viewer and server does not depend on the viewer's version.
OHIF_VERSION=${*: -1} run test/origins.test.mjs test/nginx.test.mjs test/demo.test.mjs
