# Everything that people and machines do with this repository. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LAB_SETTINGS := mlkit/widgets/static/lab-settings.json
SHIPPED := notebooks/*.ipynb notebooks/*/*.ipynb exercises/*.ipynb
ROOT_OPTION := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install run test lab check format test-slow bench bench-peers exercises site clean \
  model-before engines airflow airflow-ui kubeflow prefect prefect-ui test-engines

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

install: $(STAMP)  ## make .venv and install mlkit with everything it needs
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mlkit needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V). Name another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@cp $(LAB_SETTINGS) $(VENV)/share/jupyter/lab/settings/overrides.json
	@touch $(STAMP)

run: install  ## run the flights pipeline on the real data and write its report
	$(BIN)/mlkit run notebooks/flights --report

lab: install  ## open JupyterLab on the page to start with
	@cp $(LAB_SETTINGS) $(VENV)/share/jupyter/lab/settings/overrides.json
	@$(BIN)/jupyter trust $(SHIPPED) >/dev/null
	$(BIN)/jupyter lab $(ROOT_OPTION) --LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb $(LAB)

engines: .venv-airflow/.installed .venv-kubeflow/.installed .venv-prefect/.installed  ## set up the engines, each in an environment of its own
.venv-%/.installed: requirements-%.lock
	@[ -x $(@D)/bin/python ] || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

airflow: install .venv-airflow/.installed  ## set up Airflow and run the flights pipeline on it
	$(BIN)/mlkit run notebooks/flights --on airflow --report

airflow-ui: install .venv-airflow/.installed  ## start a whole Airflow with its web page, the flights DAG in it
	$(BIN)/mlkit export airflow notebooks/flights --to .airflow/dags
	$(BIN)/python -m mlkit.engines.airflow.standalone .airflow

kubeflow: install .venv-kubeflow/.installed  ## set up Kubeflow Pipelines and run the flights pipeline on it
	$(BIN)/mlkit run notebooks/flights --on kubeflow --report

prefect-ui: install .venv-prefect/.installed  ## a Prefect server with its web page, until Ctrl-C
	$(BIN)/python -m mlkit.engines.prefect.server .prefect

prefect: install .venv-prefect/.installed  ## set up Prefect and run the flights pipeline on it
	$(BIN)/mlkit run notebooks/flights --on prefect --report

test: check engines  ## run every check that CI runs
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST)

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -P -m mlkit.grading.generate --check

test-slow: install  ## run the suites that take long: many random kills and edits, the whole abuse suite
	$(BIN)/python -m pytest -m slow --timeout 3600 $(PYTEST)

BASE ?= e21ef05
model-before: install  ## random edits against an earlier revision (BASE=…): which kinds of stale results it had
	@[ ! -e .model-before ] || git worktree remove --force .model-before
	@git worktree add --quiet --force --detach .model-before $(BASE)
	@$(BIN)/python -m tests.planner.never_stale --tree .model-before --expect 10 $(MODEL); \
	  status=$$?; git worktree remove --force .model-before; exit $$status

test-engines: install engines  ## run everything on every engine, also what takes long
	$(BIN)/python -m pytest -m engine --timeout 900 $(PYTEST)

format: install  ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

exercises: install  ## make the exercises from the solutions
	$(BIN)/python -P -m mlkit.grading.generate

bench: install  ## measure mlkit against Papermill, side by side, and write docs/benchmarks.md
	$(BIN)/python -m benchmarks $(BENCH)

bench-peers: install  ## install the other tools into environments of their own, for make bench
	$(BIN)/python -m benchmarks.peers

site: install engines  ## lessons and exercises as a static site, in site/
	$(BIN)/mlkit render --to site

clean:  ## remove what the targets above have made
	rm -rf $(VENV) .airflow .venv-airflow .venv-kubeflow .venv-prefect .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache site .rendered grades test-artifacts
