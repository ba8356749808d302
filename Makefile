# The commands a person needs. Everything they fetch or write lands in .build/ and var/, both ignored by git.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

LISTEN   ?= 127.0.0.1:8080
STATE    ?= var/state
BACKBONE ?= var/backbones/clip-vit-b-16

PYTHON  := var/python/bin/python
SERVER  := .build/release/clserver
BUILT   := .build/built-release
SOURCES := Package.swift $(shell find Sources Benchmarks \( -type f -o -type d \) ! -name '*.md' 2>/dev/null)

.PHONY: help build backbone run test demo bench lint fuzz clean packages packages-demo packages-test packages-bench python

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: packages backbone build ## install, fetch, build and serve on $(LISTEN)
	exec $(SERVER) serve --listen $(LISTEN) --state $(STATE) --backbone $(BACKBONE)

build: $(BUILT) ## release binaries: .build/release/clserver and .build/release/benchmarks
ifeq ($(wildcard $(SERVER)),)
.PHONY: $(BUILT)
endif
# A stamp rather than `swift build` each time: its no-op costs seconds. Folders are prerequisites too, so that a
# removed file is seen.
$(BUILT): $(SOURCES)
	@tools/install-packages.sh build
	swift build -c release
	@touch $@

backbone: $(BACKBONE)/model.safetensors ## fetch and convert the pinned weights into $(BACKBONE)
$(BACKBONE)/model.safetensors: tools/fetch-backbone.sh
	@tools/install-packages.sh build
	tools/fetch-backbone.sh $(BACKBONE)
	@touch $@

packages:
	@tools/install-packages.sh build
packages-demo:
	@tools/install-packages.sh build demo
packages-test:
	@tools/install-packages.sh build demo test
packages-bench:
	@tools/install-packages.sh build bench

python: var/python/ready
var/python/ready: tools/requirements-test.txt
	@tools/install-packages.sh build
	rm -rf var/python
	/usr/bin/python3 -m venv var/python
	$(PYTHON) -m pip install --quiet --require-virtualenv -r tools/requirements-test.txt
	@touch $@

# The peer of `benchmarks backbone`: onnxruntime and the file as shipped.
var/backbones/clip_encoder.int8.onnx: tools/fetch-backbone.sh
	tools/fetch-backbone.sh --peer $@
	@touch $@

test: packages-test backbone build python ## every test; ends with the number passed and failed
	tools/run-tests.sh

demo: packages-demo backbone build ## teach two tasks from photographs with curl, ask, print the accuracies
	tools/demo.sh

bench: packages-bench backbone var/backbones/clip_encoder.int8.onnx build python ## compare with the peers, side by side
	tools/bench.sh

lint: ## formatting and tree rules
	tools/lint.sh

fuzz: ## fuzz the HTTP parser and connection (RUNS=10000000 by default)
	tools/fuzz.sh

clean: ## remove what was built; keeps var/ (state and weights)
	rm -rf .build
