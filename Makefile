# The one door: everything a person or CI does with this repository is a word here.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
DATA ?= ../shared/data/insights/datasets
WORKERS ?= 2
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock' -q

# Tests start hundreds of processes; where bytecode may not be kept, each compiles everything anew.
test test-long test-faults: export PYTHONDONTWRITEBYTECODE =

.PHONY: help setup up check test test-long test-faults bench bench-isolation evaluate fix lock
.DEFAULT_GOAL := help

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: ## prepare .venv; starts nothing
	@PYTHON='$(PYTHON)' sh scripts/setup.sh

up: setup ## start the whole platform with the demo clinic (ARGS="--port 8081 …")
	@$(BIN)/polyclinic up $(ARGS)

check: setup ## format, lint, types, import contracts, rules of the house
	@$(BIN)/ruff format --check --quiet . || { echo 'Run `make fix`.'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/pyright
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/pytest tests/architecture $(ARGS)

test: setup ## all tests but the long ones (ARGS="tests/foundation -k lock"; WORKERS=0: one by one)
	@sh scripts/browser.sh
	@sh scripts/helm.sh
	@sh scripts/prometheus.sh
	@$(BIN)/pytest -m 'not long and not fault' -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS)

test-long: setup ## the big numbers; the last ones stand in docs/reference/long-runs.md
	@sh scripts/browser.sh
	@sh scripts/guest.sh
	@$(BIN)/pytest -m long --junitxml=build/long.xml $(ARGS)
	@$(BIN)/python scripts/write_long_runs.py build/long.xml
	@$(BIN)/python scripts/write_faults.py build/long.xml

test-faults: setup ## break services, database and disk again and again; writes docs/reference/faults.md
	@$(BIN)/pytest -m fault tests/faults --junitxml=build/faults.xml $(ARGS); ended=$$?; \
		$(BIN)/python scripts/write_faults.py build/faults.xml && exit $$ended

bench: setup ## measure reads, creates, searches, imports, bookings and events beside their floors
	@$(BIN)/python -m bench $(ARGS)

bench-isolation: setup ## measure whether a rush on bookings slows the records down, and draw it
	@$(BIN)/python -m bench.isolation --svg docs/pictures/isolation.svg $(ARGS)

evaluate: setup ## learn from public data sets and print how good it is (DATA=folder of the sets)
	@OMP_NUM_THREADS=1 $(BIN)/python -m evaluate --data '$(DATA)' $(ARGS)

fix: setup ## format and repair what can be repaired by itself
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

lock: setup ## resolve the dependencies anew within pyproject.toml (ARGS="--upgrade")
	@$(COMPILE) $(ARGS) pyproject.toml --extra dev -o requirements-dev.lock
	@$(COMPILE) pyproject.toml --extra traces -c requirements-dev.lock -o requirements.lock
	@echo uv | $(COMPILE) $(ARGS) - -o requirements-uv.lock
	@echo hatchling | $(COMPILE) $(ARGS) - -c requirements-dev.lock -o requirements-build.lock
