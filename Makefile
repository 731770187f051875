# The commands of this repository. `make help` lists them.

PORT ?= 8080
DATA ?= data
ARGUMENTS ?=
CASES ?= append lifecycle fold http
MINUTES ?= 1
EVENTS ?= 200000
EXAMPLES ?= 300
RUNS ?= 10000000
READERS ?=

.DEFAULT_GOAL := help
.PHONY: help run build test test-long lint bench simulate fuzz aws-local clean

help: ## lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## builds, then serves the embedded ledger on 127.0.0.1:8080 (PORT=, DATA=)
	exec .build/release/ledger serve --port $(PORT) --data $(DATA)

build: ## installs what is missing and makes the release build, .build/release/ledger
	scripts/install.sh run
	swift build -c release --product ledger

test: ## installs what is missing, builds once, runs every test (ARGUMENTS="--filter TidyTests")
	scripts/install.sh run test
	scripts/test.sh $(ARGUMENTS)

test-long: ## the variants that take minutes: rebuilds under traffic, outages, the specification, random bytes (EVENTS=1000000)
	scripts/install.sh run test
	LEDGER_TEST_REBUILD_EVENTS=$(EVENTS) LEDGER_TEST_BAD_LUCK_SECONDS=60 LEDGER_TEST_SIMULATION_SECONDS=120 \
		scripts/test.sh --filter 'RebuildTrafficTests|MirrorBadLuckTests|freshSeeds' $(ARGUMENTS)
	scripts/fuzz.sh 1000000
	LEDGER_TEST_SPECIFICATION_EXAMPLES=$(EXAMPLES) \
		.build/python/bin/python -m pytest --quiet serverless/tests/test_specification.py

lint: ## checks the layout of the Swift files and the syntax of the scripts
	scripts/install.sh run
	scripts/lint.sh

bench: build ## measures the release build, one JSON line a case, docs/performance.md (CASES=fold ARGUMENTS=)
	swift build -c release --product ledger-bench
	for case in $(CASES); do .build/release/ledger-bench $$case $(ARGUMENTS) || exit 1; done

simulate: ## runs fresh seeds of the simulator, docs/simulation.md (MINUTES=10)
	scripts/install.sh run
	swift build -c release --product ledger-simulator
	.build/release/ledger-simulator --seconds $$(($(MINUTES) * 60))

fuzz: ## random bytes for the readers of the log's formats, on x86-64 Linux (RUNS=1000000 READERS="note proof")
	scripts/install.sh run
	scripts/fuzz.sh $(RUNS) $(READERS)

aws-local: ## deploys the program to an emulator of AWS here, prints the URL and an API key (ARGUMENTS=--help)
	scripts/install.sh run test
	swift build -c release --product ledger
	serverless/scripts/package.sh --native --emulator --architecture $$(uname -m | sed s/aarch64/arm64/)
	exec .build/python/bin/python serverless/scripts/local.py $(ARGUMENTS)

clean: ## removes what was built; the data stays
	rm -rf .build
