# spinefx: `make demo` shows it at work, `make test` tests it. Both install what they need.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
export PATH := $(CURDIR)/.tools/bin:$(CURDIR)/.venv/bin:$(HOME)/.cargo/bin:$(PATH)
BIN := target/release/spinefx

.PHONY: help setup build demo ohif-demo test test-slicer test-ohif stubs lint bench clean

help:            ## this list
	@grep -hE '^[a-z-]+: .*## |^[a-z-]+:  *## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup:           ## install Debian packages, libtorch, tools
	scripts/setup.sh

build: setup     ## build the program (target/release/spinefx)
	cargo build --release --bin spinefx

demo: build      ## start the server, send it a spine, show findings and pictures (demo-out/)
	scripts/demo.sh $(BIN) demo-out

ohif-demo: build ## start Orthanc, the server and the OHIF viewer with the SpineFx panel, print the address
	scripts/setup-ohif.sh
	exec scripts/ohif-demo.sh $(BIN) demo-out/ohif

test:            ## install the judges, run every test
	scripts/setup.sh --test
	cargo build --release --bin spinefx
	cargo test --release
	clients/grpcurl/run.sh $(BIN)
	$(MAKE) test-slicer
	$(MAKE) test-ohif

test-slicer: build ## test the Python client and the 3D Slicer module with slicer-core and a real server
	scripts/setup-slicer.sh
	scripts/test-slicer.sh $(BIN)

test-ohif: build ## test the OHIF panel in Chromium with Orthanc, nginx and a real server
	scripts/setup.sh --test
	scripts/setup-ohif.sh --test
	scripts/test-ohif.sh $(BIN)

stubs:           ## make the Python client's protobuf code from proto/
	scripts/setup-slicer.sh
	scripts/stubs.sh

lint:            ## formatting, clippy, docs, proto, licences, spelling
	scripts/setup.sh --test
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --workspace --quiet
	.tools/node_modules/.bin/buf lint
	cargo-deny --offline check licenses bans sources
	typos

bench: build     ## time per stage, memory, the forward pass alone; writes docs/performance.md
	scripts/bench.sh

clean:           ## remove build products and installed tools
	rm -rf target .venv .venv-slicer .libtorch .tools demo-out
	rm -rf clients/ohif/{node_modules,dist,src/gen,test/gen}
