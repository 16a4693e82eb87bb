# The few commands of the project. Everything they need beyond Python >= 3.11 is installed into .venv.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11 python,\
	$(shell command -v $(p) >/dev/null 2>&1 && $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
VENV := .venv
BIN := $(VENV)/bin
WEB := $(shell find web/src -type f 2>/dev/null) $(wildcard web/*.json web/*.ts web/*.html web/.npmrc)
INSTALL := $(BIN)/python tools/install.py
COMPILE := $(BIN)/python -m pairscope.live.compiling
# Tests that start processes and wait leave half of a core idle: so there are three at once for two cores.
AT_ONCE := -n $$($(BIN)/python -c 'import os; print(3 * (os.cpu_count() or 2) // 2)') --dist loadfile --no-loadscope-reorder
export PIP_ROOT_USER_ACTION := ignore
# Packages are installed without bytecode; where none may be written each of the many processes compiles all of them.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run dev test test-all soak coverage check format bench lock types clean ready-to-test kernels-of-symbols kernels-of-pairs

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/installed ## set everything up and start pairscope; ARGS="--port 9000" are handed on
	@$(BIN)/python -m pairscope run $(ARGS)

dev: $(VENV)/developing ## server and page for working on them: both are loaded again when a source changes
	@$(BIN)/python tools/dev.py $(ARGS)

test: ready-to-test ## set everything up and run the tests, those in a browser too
	$(BIN)/python tools/browser.py
	$(BIN)/python -m pytest -m "not slow and not soak" $(AT_ONCE) --durations=25 --durations-min=1
	$(BIN)/python tools/npm.py test

test-all: test ## the slow tests too, and planted faults (up to 2 h)
	$(BIN)/python -m pytest -m slow
	$(BIN)/python tools/mutate.py

soak: ready-to-test ## hours of a market, by hand; SOAK_MINUTES=240
	$(BIN)/python -m pytest -m soak -s

coverage: ready-to-test ## the tests once more, and which lines and branches they reach; below the floor it fails
	TESTS_TIMEOUT_FACTOR=$${TESTS_TIMEOUT_FACTOR:-3} $(BIN)/coverage run -m pytest -m "not slow and not soak" $(AT_ONCE)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

check: $(VENV)/developing ## formats, types, rooms, what asks the machine, generated files, lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports
	$(BIN)/python tools/seams.py
	$(BIN)/python tools/gen_ts.py --check
	$(BIN)/python tools/gen_docs.py --check
	$(BIN)/python tools/gen_why.py --check
	$(BIN)/python tools/gen_picture.py --check
	$(BIN)/python tools/web_layers.py
	$(BIN)/python tools/npm.py run typecheck
	$(BIN)/python tools/npm.py run lint

format: $(VENV)/developing ## put all sources into their form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/python tools/npm.py run format

bench: $(VENV)/benchmarking ## benchmarks beside what people use today, into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "pairscope needs Python 3.11 or newer on the PATH"; exit 2; }
	@echo "· creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: requirements/runtime.txt | $(VENV)/bin/python
	@echo "· installing what pairscope runs on"
	@$(INSTALL) --require-hashes -r requirements/runtime.txt
	@touch $@

# The dashboard is built by the package's own build; Node comes along from the Python index when there is none.
$(VENV)/page: pyproject.toml hatch_build.py $(WEB) | $(VENV)/bin/python
	@echo "· building the dashboard and installing pairscope"
	@$(INSTALL) --no-deps -e .
	@touch $@

# The two have nothing to do with each other. The server compiles the numeric kernels while its page is there already.
$(VENV)/installed: requirements/runtime.txt requirements/uv.txt pyproject.toml hatch_build.py $(WEB) | $(VENV)/bin/python
	@# an interrupted run may have left an environment without pip
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(INSTALL) uv
	@$(MAKE) --no-print-directory -j2 $(VENV)/runtime $(VENV)/page
	@touch $@

$(VENV)/developing: requirements/dev.txt $(VENV)/installed
	@echo "· installing what tests and checks need"
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

# Kernels are compiled once for all test processes, by two of their own, while packages are installed.
ready-to-test: $(VENV)/installed
	@$(MAKE) --no-print-directory -j3 $(VENV)/developing kernels-of-symbols kernels-of-pairs

kernels-of-symbols:
	@$(COMPILE) symbols rest files

kernels-of-pairs:
	@$(COMPILE) pairs tests frames

$(VENV)/benchmarking: requirements/bench.txt $(VENV)/developing
	@echo "· installing what benchmarks compare with"
	@$(INSTALL) --require-hashes -r requirements/bench.txt
	@touch $@

# Needs uv. Hashes are kept, addresses are not: any index serves the same files.
lock: ## the lock files anew
	cd requirements && for f in dev runtime bench uv; do uv pip compile -q --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header $$f.in -o $$f.txt $$([ $$f = dev ] || [ $$f = uv ] || echo -c dev.txt); done

types: $(VENV)/installed ## the page's types from the server's schema
	$(BIN)/python tools/gen_ts.py

clean: ## remove what was set up and built
	rm -rf $(VENV) web/node_modules src/pairscope/static dist
