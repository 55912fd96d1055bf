# Everything a person or CI runs. It needs python3 (3.11 or later), make and git; the rest is installed into .venv.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := $(wildcard functions layers local tests tools)
MODULES := $(wildcard functions layers/orders/python/orders local tests tools)
# An activated environment of somebody else's must not decide where this one goes.
UV := env -u VIRTUAL_ENV UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv

SAM_VERSION := 1.170.0
# Isolated: sam pins its own boto3, click and pydantic. Telemetry and its version check would call out.
SAM := env SAM_CLI_TELEMETRY=0 SAM_CLI_CHECK_UPDATES=0 AWS_DEFAULT_REGION=us-east-1 $(BIN)/uvx --quiet --from aws-sam-cli==$(SAM_VERSION) sam

.PHONY: help setup demo test check check-sam lint-fix lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## make the environment in .venv, from the lock
	@echo "Ready. Next: make demo (three orders, live), make test, or $(BIN)/orders serve"

$(READY): pyproject.toml uv.lock $(firstword $(MAKEFILE_LIST))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "This needs Python 3.11 or later, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
	  echo "Install one, then name it: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' has no venv module (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test "$$($(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)" = "$(UV_VERSION)" \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv==$(UV_VERSION)'
	@echo "Installing what uv.lock names into $(VENV) ..."
	@$(UV) sync --frozen --quiet
	@touch $@

demo: $(READY) ## three orders on a stack of their own, followed live
	@$(BIN)/orders demo

test: check ## every check and every test
	@$(BIN)/pytest -n auto --dist loadfile $(addprefix --ignore=,$(wildcard tests/e2e))
	@if test -d tests/e2e; then $(BIN)/pytest tests/e2e; fi
	@if test -z "$${CI:-}"; then echo "All passed. Next: make demo, or make check-sam before a deployment."; fi

check: $(READY) ## formatting, lint, types, template
	@$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "Formatting differs: make lint-fix" >&2; exit 1; }
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/mypy --no-error-summary $(MODULES)
	@$(BIN)/cfn-lint template.yaml
	@$(UV) lock --check --quiet || { echo "pyproject.toml and uv.lock differ: make lock" >&2; exit 1; }

check-sam: $(READY) ## sam validate, sam build and the expanded template (downloads sam once)
	@$(SAM) validate --region us-east-1
	@$(SAM) validate --lint --region us-east-1
	@$(BIN)/python -m tools.expand_template template.yaml > .aws-sam-expanded.json

lint-fix: $(READY) ## put right what ruff can put right
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

lock: $(READY) ## resolve anew, and write the layers' requirements from it
	@$(UV) lock

clean: ## remove the environment and everything built
	rm -rf $(VENV) .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis
