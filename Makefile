# Needs Python 3.11, pip and make; everything else is installed into .venv by the targets themselves.

VENV   ?= .venv
PORT   ?= 3000
HTTP   ?= 8000
GRPC   ?= 50051
PYTHON ?= $(shell for p in python3.11 python3; do $$p -c 'import venv' 2>/dev/null && echo $$p && break; done)

BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip --disable-pip-version-check --retries 10 install --quiet --constraint deploy/constraints.txt
LOCK  := $(BIN)/pip-compile --quiet --upgrade --no-header --no-annotate --strip-extras \
         --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
ROWS_1_TO_4 := flowhub_assets/__init__.py flowhub_assets/errors.py flowhub_assets/names.py \
               flowhub_assets/ir flowhub_assets/runtime flowhub_assets/from_python

# Dagster starts its own executables by name, so the environment's folder goes first.
export PATH := $(abspath $(BIN)):$(PATH)
export PYTHONUNBUFFERED := 1

# Dagster's storage of this checkout; a DAGSTER_HOME of the surroundings is neither used nor touched.
HOME_HERE := $(CURDIR)/.dagster
unexport DAGSTER_HOME
demo dev screenshots: export DAGSTER_HOME := $(HOME_HERE)

# The other code location: its environment has Airflow 2.11 and nothing of ours, its storage is its own.
DAGS         ?= dags
AIRFLOW      := $(abspath $(or $(FLOWHUB_AIRFLOW_ENVIRONMENTS),.))/.airflow-2
HOME_AIRFLOW := $(CURDIR)/.dagster-airflow
dev-airflow: export DAGSTER_HOME := $(HOME_AIRFLOW)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo dev dev-airflow test chaos lint bench golden proto screenshots airflow-envs lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
	    printf '  make %-12s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.demo $(HOME_HERE)/dagster.yaml ## run the shipped pipelines through Dagster and print a table
	$(BIN)/flowhub demo

dev: $(VENV)/.demo $(HOME_HERE)/dagster.yaml ## the UI on http://localhost:3000, HTTP and gRPC (PORT, HTTP, GRPC=...)
	$(BIN)/flowhub dev --port $(PORT) --http-port $(HTTP) --grpc-port $(GRPC)

dev-airflow: $(VENV)/.python $(HOME_AIRFLOW)/dagster.yaml ## a folder of legacy Airflow DAGs in the UI (DAGS=folder, PORT=...)
	$(BIN)/python -c 'from flowhub_assets_tests.airflow.environments import environment; environment("2")'
	PATH="$(AIRFLOW)/bin:$$PATH" FLOWHUB_AIRFLOW_DAGS="$(DAGS)" \
	    $(AIRFLOW)/bin/dagster dev --workspace deploy/workspace-airflow.yaml --port $(PORT)

test: $(VENV)/.dev ## run every test (ARGS="-k name" for some)
	@# Before the tests, whose time it is not; where it fails, those that need it say so.
	-$(BIN)/python -m flowhub_assets_tests.airflow.environments
	@# Each of a thousand processes would compile our modules anew where PYTHONDONTWRITEBYTECODE is set.
	$(BIN)/python -m compileall -q flowhub_assets
	@# A test that is red is run once more, and told as R: real servers on a busy machine are late now and then.
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --reruns 1 -rfER $(ARGS)

chaos: $(VENV)/.dev ## 200 runs on a double of Kubernetes, faults at random moments (ARGS="--seed N --runs 1": one again)
	timeout 1200 $(BIN)/python -m flowhub_assets_tests.executor.kubernetes.chaos $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy --strict, import contracts, Python 3.9 for what travels to a task's image
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vermin --quiet --violations --no-tips --target=3.9- $(ROWS_1_TO_4) flowhub_assets/pods/boot.py flowhub_assets/to_airflow/dag_shell.py

bench: $(VENV)/.dev ## measure the README's figures (ARGS="--readme" writes them there)
	$(BIN)/python -m flowhub_assets_tests.benchmarks $(ARGS)

golden: $(VENV)/.dev ## write the golden files anew; look at the diff before you commit it
	$(BIN)/python -m pytest flowhub_assets_tests/golden --regenerate-golden

proto: $(VENV)/.dev ## make the Python of our .proto files anew
	$(BIN)/python -m flowhub_assets.server.rpc.generated

screenshots: $(VENV)/.screenshots $(HOME_HERE)/dagster.yaml ## take the README's pictures anew (needs a Chromium)
	$(BIN)/python .ci/screenshots.py

airflow-envs: $(VENV)/.dev ## make the environments of Airflow 2.11 and 3.x that tests use (FLOWHUB_AIRFLOW_ENVIRONMENTS: where)
	$(BIN)/python -m flowhub_assets_tests.airflow.environments

lock: $(VENV)/.dev ## compute deploy/constraints*.txt anew from pyproject.toml and deploy/airflow-3.in
	$(LOCK) pyproject.toml --extra demo --extra deploy --extra dev --extra ml --extra nodes --extra postgres --extra screenshots --extra server --extra templates --output-file deploy/constraints.txt
	$(LOCK) pyproject.toml --extra airflow --output-file deploy/constraints-airflow-2.txt
	$(LOCK) deploy/airflow-3.in --output-file deploy/constraints-airflow-3.txt

clean: ## remove the environment, the caches and Dagster's storage
	rm -rf $(VENV) .airflow-2* .airflow-3* .dagster .dagster-airflow .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info

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
	$(PIP) --editable '.[demo,ml,server]'
	@touch $@

$(VENV)/.dev: $(VENV)/.python $(DECIDING)
	$(PIP) --editable '.[demo,dev,ml,templates]'
	@touch $(VENV)/.demo $@

$(VENV)/.screenshots: $(VENV)/.python $(DECIDING)
	$(PIP) --editable '.[demo,ml,screenshots,server]'
	@touch $@

$(HOME_HERE)/dagster.yaml: deploy/dagster.yaml
	@mkdir -p $(@D)
	cp $< $@

# The Python that has Airflow has nothing of ours: no launcher of ours either.
$(HOME_AIRFLOW)/dagster.yaml: deploy/dagster.yaml
	@mkdir -p $(@D)
	sed '/^run_launcher:/,/^$$/d' $< > $@
