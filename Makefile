# Everything starts here: `make demo` shows it, `make test` proves it. Each target sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/pytest --durations 20
SIDE_BY_SIDE := -n auto --maxprocesses 4
OUTPUT_SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

# uv believes the certificates that pip believes: this system's, among which a company's own may be.
export UV_SYSTEM_CERTS := 1

# uv is told what pip was told about where packages come from when that is not PyPI.
WITH_INDEX = index=$${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null)}; \
	[ -z "$$index" ] || export UV_DEFAULT_INDEX="$$index";

.DEFAULT_GOAL := help
.PHONY: help demo up test test-simulation test-system test-processes test-faults test-dates torture check docs wheel audit format bench bench-long bench-publish lock clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## charge 1,000 subscriptions on real parts, turn the clock a month on, compare the records (about a minute)
	@$(BIN)/again demo

up: $(READY) ## run everything until Ctrl-C, and print what runs where
	@$(BIN)/again up

# The simulation computes, and the real processes mostly wait: they run beside each other, and the simulation stands back.
test: $(READY) ## the whole test suite, on real servers (ten minutes on two cores)
	@$(PYTEST) $(SIDE_BY_SIDE) tests/unit tests/project
	@$(PYTEST) -n 3 tests/integration tests/scenarios tests/browser
	@$(MAKE) --no-print-directory --jobs=3 $(OUTPUT_SYNC) test-simulation test-system

test-simulation: $(READY)
	@echo "The simulation:"
	@nice -n 10 $(PYTEST) $(SIDE_BY_SIDE) --dist worksteal tests/simulation

# Both wait more than they compute.
test-system: test-processes test-faults

test-processes: $(READY)
	@echo "Real processes:"
	@$(PYTEST) -n 2 --dist loadfile tests/system --ignore tests/system/test_faults.py

test-faults: $(READY)
	@echo "The fault run:"
	@$(PYTEST) tests/system/test_faults.py

test-dates: $(READY) ## the fast layers on other dates and in other zones, every clock moved (five minutes on two cores)
	@$(BIN)/python -m tests.dates

torture: $(READY) ## all histories of one period, then long ones, then fault rounds, TIME=600 seconds each; SEED=7 replays
ifdef SEED
	@$(BIN)/pytest tests/simulation tests/system/test_faults.py -k "test_a_long_history or every_fault" --seed $(SEED)
else
	@$(BIN)/pytest tests/simulation --thorough --torture-seconds $(or $(TIME),600)
	@$(BIN)/pytest tests/simulation tests/system/fault_rounds.py -k test_fault_rounds --thorough --torture-seconds $(or $(TIME),600)
endif

check: $(READY) docs ## format, lint, types, import contracts, documents, and that what is installed fits together
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/uv pip check --quiet --python $(BIN)/python

# Strict: a link or an anchor that leads nowhere fails (with --quiet MkDocs would count no warnings, and never fail).
# The theme's notice about the next MkDocs is no news here.
docs: $(READY) ## build the documents into site/, every link and anchor checked
	@NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build

# The check installs it, with what requirements.lock pins, into an empty environment: that asks PyPI.
wheel: $(READY) ## build a wheel into dist/, install it into an empty environment, and run `again up` there
	@rm -rf dist
	@$(BIN)/python -m hatchling build -t wheel -d dist
	@$(BIN)/uv venv --quiet --python $(BIN)/python dist/installed
	@$(WITH_INDEX) \
	$(BIN)/uv pip install --quiet --python dist/installed/bin/python --constraint requirements.lock \
		"$$(ls dist/*.whl)[embedded]"
	@$(PYTEST) tests/system/installed_wheel.py
	@rm -rf dist/installed

# Nothing that is pinned may go unjudged: --strict. It asks PyPI, so it is no part of `check`, which needs no network.
audit: $(READY) ## look every pinned dependency up among the known vulnerabilities (needs the network)
	@$(BIN)/uv tool run --quiet pip-audit==2.10.1 --strict --no-deps --disable-pip --requirement requirements.lock

format: $(READY) ## put the code into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# PARTS="claim fairness" measures these alone. Results wait in .bench for `make bench-publish`, or for the next run.
bench: $(READY) ## measure claims, fairness, throughput and more, each against a limit of the same run (four minutes)
	@$(BIN)/python -m tests.bench $(PARTS)

bench-long: $(READY) ## the same with five million subscriptions (about an hour, 15 GB of temporary files)
	@$(BIN)/python -m tests.bench --long $(PARTS)

bench-publish: $(READY) ## write what was measured last into docs/performance.md and its charts
	@$(BIN)/python -m tests.bench --measured

lock: $(READY) ## resolve the dependencies again into requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --fork-strategy fewest --upgrade \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra otel --constraint requirements.lock --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --quiet --output-file deploy/requirements.txt
	@echo 'hatchling==1.33.0' | $(BIN)/uv pip compile - --constraint requirements.lock --universal --python-version 3.11 \
		--upgrade --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet \
		--output-file deploy/build-requirements.txt

clean: ## remove everything that was made here: environment, data, caches
	rm -rf $(VENV) .again .bench dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

# pip brings uv alone, of the version that the lock names, and uv brings the rest, many times faster.
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: $(PYTHON) is older than 3.11; run make PYTHON=python3.12 (or newer)"; exit 1; }
	@echo "Installing into $(VENV) from requirements.lock (once, about a quarter of a minute) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "make: no virtual environment; on Debian: apt-get install python3-venv"; exit 1; }
	@awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --progress-bar off --no-deps --requirement $(VENV)/uv.lock
	@$(WITH_INDEX) \
	install="$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps"; \
	$$install --requirement requirements.lock && $$install --no-build-isolation --editable .
	@touch $@
