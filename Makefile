# Needs Python 3.11, pip and make; everything else is installed into .venv by the targets themselves.

VENV   ?= .venv
PORT   ?= 3000
PYTHON ?= $(shell for p in python3.11 python3; do $$p -c 'import venv' 2>/dev/null && echo $$p && break; done)

BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip --disable-pip-version-check --retries 10 install --quiet --constraint deploy/constraints.txt
LOCK  := $(BIN)/pip-compile --quiet --upgrade --no-header --no-annotate --strip-extras \
         --no-emit-index-url --no-emit-find-links --no-emit-trusted-host pyproject.toml
ROWS_1_TO_4 := flowhub_assets/__init__.py flowhub_assets/errors.py flowhub_assets/names.py \
               flowhub_assets/ir flowhub_assets/runtime flowhub_assets/from_python

# Dagster starts its own executables by name, so the environment's folder goes first.
export PATH := $(abspath $(BIN)):$(PATH)
export PYTHONUNBUFFERED := 1

# Dagster's storage of this checkout; a DAGSTER_HOME of the surroundings is neither used nor touched.
HOME_HERE := $(CURDIR)/.dagster
unexport DAGSTER_HOME
demo dev screenshots: export DAGSTER_HOME := $(HOME_HERE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo dev test lint bench golden screenshots lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
	    printf '  make %-12s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.demo $(HOME_HERE)/dagster.yaml ## run the shipped pipelines through Dagster and print a table
	$(BIN)/flowhub demo

dev: $(VENV)/.demo $(HOME_HERE)/dagster.yaml ## the UI and the daemon on http://localhost:3000 (PORT=...)
	$(BIN)/flowhub demo-services $(BIN)/dagster dev --port $(PORT)

test: $(VENV)/.dev ## run every test (ARGS="-k name" for some)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy --strict, import contracts, Python 3.9 for what travels to a task's image
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vermin --quiet --violations --no-tips --target=3.9- $(ROWS_1_TO_4)

bench: $(VENV)/.dev ## measure the README's figures (ARGS="--readme" writes them there)
	$(BIN)/python -m flowhub_assets_tests.benchmarks $(ARGS)

golden: $(VENV)/.dev ## write the golden files anew; look at the diff before you commit it
	$(BIN)/python -m pytest flowhub_assets_tests/golden --regenerate-golden

screenshots: $(VENV)/.screenshots $(HOME_HERE)/dagster.yaml ## take the README's pictures anew (needs a Chromium)
	$(BIN)/python .ci/screenshots.py

lock: $(VENV)/.dev ## compute deploy/constraints*.txt anew from pyproject.toml
	$(LOCK) --extra demo --extra dev --extra ml --extra nodes --extra screenshots --extra server --extra templates --output-file deploy/constraints.txt
	$(LOCK) --extra airflow --output-file deploy/constraints-airflow.txt

clean: ## remove the environment, the caches and Dagster's storage
	rm -rf $(VENV) .dagster .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info

# A stamp per set of extras: pip is called only when a file that decides what is installed has changed.
DECIDING := pyproject.toml setup.cfg deploy/constraints.txt

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "No Python 3 found: install Python 3.11, or name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, {sys.executable} is {v[0]}.{v[1]}: make PYTHON=/path/to/python3.11")'
	@echo "Making $(VENV) and installing the pinned packages: a few minutes, this once."
	$(PYTHON) -m venv $(VENV) || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@# Debian's Python without python3-venv brings no pip into a new environment; the system's pip can.
	@test -x $(BIN)/pip || $(PYTHON) -m pip --python $(BIN)/python install --quiet pip
	touch $@

$(VENV)/.demo: $(VENV)/.python $(DECIDING)
	$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.python $(DECIDING)
	$(PIP) --editable '.[demo,dev,templates]'
	@touch $(VENV)/.demo $@

$(VENV)/.screenshots: $(VENV)/.python $(DECIDING)
	$(PIP) --editable '.[demo,screenshots]'
	@touch $@

$(HOME_HERE)/dagster.yaml: deploy/dagster.yaml
	@mkdir -p $(@D)
	cp $< $@
