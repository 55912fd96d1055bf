# Everything a person or CI runs. It needs python3 (3.11 or later), make and git; the rest is installed into .venv.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# Where Python may keep no compiled modules, each of the many stacks that the tests start compiles all of its libraries again.
export PYTHONDONTWRITEBYTECODE :=

PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := $(wildcard functions layers local simulator bench tests tools examples clients)
MODULES := $(wildcard functions layers/orders/python/orders local simulator bench tests tools examples)
# An activated environment must not decide where this one is created; a company's own certificates are the system's.
UV := env -u VIRTUAL_ENV UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=true UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv

# Each in an environment of its own, from a lock of its own: they pin other versions of the same libraries.
TOOLS := $(VENV)/tools
# What sam builds calls uv, and python3.13 where there is one (pyenv keeps those that it was not told to use off the PATH).
SAM := env PATH="$(CURDIR)/$(BIN):$(firstword $(wildcard $(HOME)/.pyenv/versions/3.13*/bin)):$$PATH" SAM_CLI_TELEMETRY=0 \
  $(TOOLS)/sam/bin/sam
STAGE ?= dev
# What a layer is built from, as the lock has it: each line with its hashes.
EXPORT := $(UV) export --frozen --quiet --no-emit-project --no-header --no-annotate

FUNCTION ?= reserve_stock

.PHONY: help setup demo bench chaos simulate simulate-mutations test test-pythons browser screenshots check lint lint-types lint-code lint-lock lint-templates lint-pages check-sam check-security audit e2e deploy invoke fuzz openapi clients operations lint-fix lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# Says every two seconds that what follows is still going on.
TICKING := (n=0; while sleep 2 >/dev/null 2>&1; do n=$$((n + 2)); echo "  ... $$n s"; done) & trap "kill $$!" EXIT;

setup: $(READY) ## create .venv from the lock
	@echo "Ready. Next: make demo (three orders), make test, or $(BIN)/orders serve"

$(READY): pyproject.toml uv.lock $(firstword $(MAKEFILE_LIST))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "This needs Python 3.11 or later, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)." >&2; \
	  echo "Install one, then pass it: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' has no venv module (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(TICKING) test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(TICKING) test "$$($(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)" = "$(UV_VERSION)" \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement tools/uv.txt
	@echo "Installing the packages of uv.lock into $(VENV) ..."
	@$(TICKING) $(UV) sync --frozen --quiet
	@touch $@

# Wheels only: what is built from source may ask for more, which no lock names.
$(TOOLS)/%/.ready: tools/%.txt | $(READY)
	@echo "Installing the packages of $< into $(@D) ..."
	@$(TICKING) $(UV) venv --quiet --clear --no-project --python $(BIN)/python $(@D)
	@$(TICKING) $(UV) pip sync --quiet --require-hashes --only-binary :all: --python $(@D)/bin/python $<
	@touch $@

# The linters of the pages' scripts, outside of the deployed folder and of tools/pages.
PAGES_LINT := $(TOOLS)/pages
PAGES_CODE := functions/pages/*.js functions/pages/*.css
ESLINT := node $(PAGES_LINT)/node_modules/eslint/bin/eslint.js --config $(PAGES_LINT)/eslint.config.js
PRETTIER := node $(PAGES_LINT)/node_modules/prettier/bin/prettier.cjs --config tools/pages/prettier.json --log-level warn

$(PAGES_LINT)/.ready: $(addprefix tools/pages/,package.json package-lock.json eslint.config.js .npmrc) | $(READY)
	@echo "Installing the packages of tools/pages/package-lock.json into $(@D) ..."
	@mkdir -p $(@D)
	@cp $^ $(@D)/
	@$(TICKING) npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel error && touch $@ || rm -f $@

# What the TypeScript client is generated and checked with, and what the receiver of docs/webhooks.md needs.
CLIENTS_NODE := $(TOOLS)/clients-node

$(CLIENTS_NODE)/.ready: $(addprefix tools/clients/,package.json package-lock.json .npmrc) | $(READY)
	@echo "Installing the packages of tools/clients/package-lock.json into $(@D) ..."
	@mkdir -p $(@D)
	@cp $^ $(@D)/
	@$(TICKING) npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel error && touch $@ || rm -f $@

# Packages of the API's clients. What is generated of them stays out of git: docs/decisions/035-clients-are-built-not-kept.md.
PYTHON_CLIENT := clients/python
TYPESCRIPT_CLIENT := clients/typescript
GENERATED := .cache/clients
PACKED := dist/clients

clients: $(PACKED)/.python $(if $(shell command -v npm),$(PACKED)/.typescript) ## build the Python and the TypeScript client from docs/openapi.json
	@ls $(PACKED)/*

$(PACKED)/.python: docs/openapi.json $(firstword $(MAKEFILE_LIST)) $(wildcard tools/clients/python.yaml tools/clients/templates/* $(PYTHON_CLIENT)/* \
  $(addprefix $(PYTHON_CLIENT)/orders_client/,__init__.py connection.py paging.py webhooks.py)) $(TOOLS)/clients/.ready
	@mkdir -p $(GENERATED) $(PACKED)
	@$(TOOLS)/clients/bin/openapi-python-client generate --path docs/openapi.json --meta none --output-path $(GENERATED)/python \
	  --overwrite --fail-on-warning --config tools/clients/python.yaml --custom-template-path tools/clients/templates >/dev/null
	@rm -rf $(addprefix $(PYTHON_CLIENT)/orders_client/,api models)
	@cp -r $(addprefix $(GENERATED)/python/,api models client.py errors.py types.py) $(PYTHON_CLIENT)/orders_client/
	@rm -f $(PACKED)/*.whl
	@cd $(PYTHON_CLIENT) && $(CURDIR)/$(TOOLS)/clients/bin/hatchling build --target wheel --directory $(CURDIR)/$(PACKED) >/dev/null
	@touch $@

$(PACKED)/.typescript: docs/openapi.json $(firstword $(MAKEFILE_LIST)) $(wildcard $(TYPESCRIPT_CLIENT)/*.* \
  $(addprefix $(TYPESCRIPT_CLIENT)/src/,index.ts connection.ts paging.ts webhooks.ts)) $(CLIENTS_NODE)/.ready
	@test -f $(CLIENTS_NODE)/.ready || { echo "The TypeScript client is not built: npm could not install what generates it." >&2; exit 0; }; \
	  mkdir -p $(PACKED); \
	  ln -sfn ../../$(CLIENTS_NODE)/node_modules $(TYPESCRIPT_CLIENT)/node_modules; \
	  node $(CLIENTS_NODE)/node_modules/openapi-typescript/bin/cli.js docs/openapi.json --default-non-nullable false \
	    --output $(TYPESCRIPT_CLIENT)/src/api.ts >/dev/null; \
	  node $(CLIENTS_NODE)/node_modules/typescript/bin/tsc --project $(TYPESCRIPT_CLIENT); \
	  rm -f $(PACKED)/*.tgz; \
	  npm pack ./$(TYPESCRIPT_CLIENT) --pack-destination $(PACKED) --silent >/dev/null; \
	  touch $@

demo: $(READY) ## run three orders on a temporary local stack and follow them
	@$(BIN)/orders demo

bench: $(READY) ## run the benchmarks, also of DBOS and Restate, and write docs/benchmarks.md (15 minutes)
	@$(BIN)/orders bench

chaos: $(READY) ## 2,000 orders with injected faults and two kills, then reconcile the ledgers: SEEDS=1 ORDERS=2000
	@$(BIN)/python -m tests.chaos --seeds $(or $(SEEDS),1) --orders $(or $(ORDERS),2000)

# Two processes share the seeds. FAULTS, MOST and TOWARD are for a history that was made shorter: see what a failing seed prints.
simulate: $(READY) ## orders under everything AWS may do, in virtual time, by the seed: SEEDS=1,7,100-130 ORDERS=2000
	@$(BIN)/python -m simulator --seeds $(or $(SEEDS),1-20) --orders $(or $(ORDERS),100) \
	  $(if $(filter undefined,$(origin FAULTS)),,--faults '$(FAULTS)') $(if $(MOST),--most $(MOST)) $(if $(TOWARD),--toward $(TOWARD))

simulate-mutations: $(READY) ## plant each defect of simulator/mutations.py in a copy, and see which law finds it (some minutes)
	@$(BIN)/python -m simulator.mutation_check

# In this order: the longest first, and the many small ones to fill the gaps. Each worker has more to wait for
# than to compute, so there is one more than there are cores.
TESTS := $(wildcard $(addprefix tests/,e2e versions simulator built providers chaos local template statemachine upgrade functions unit))
WORKERS = $(shell $(BIN)/python -c 'import os; print(len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else "auto")')

test: lint browser ## all checks and all tests
	@OTHER_PYTHONS=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)
	@if test -z "$${CI:-}"; then echo "All passed. Next: make demo, or make check-sam before a deployment."; fi

test-pythons: $(READY) ## all tests except e2e, with each other installed Python from 3.11 on
	@$(BIN)/python -m tests.pythons -n auto --dist loadfile $(filter-out tests/e2e tests/versions,$(TESTS))

# Without it the tests of the pages are skipped and say so: no reason to fail where nothing can be installed. The headless shell
# is tried for once, as it takes a fraction of what Chromium takes; not every system has a package of it.
CHROMIUMS := chromium chromium-browser google-chrome
INSTALL := apt-get -qq -o Acquire::Retries=3 install -y --no-install-recommends fonts-dejavu-core

browser: $(VENV)/.browser
	@command -v chromium-headless-shell $(CHROMIUMS) >/dev/null \
	  || echo "Chromium is not installed (on Debian: apt install chromium-headless-shell): the tests of the pages are skipped."

$(VENV)/.browser: | $(READY)
	@command -v chromium-headless-shell >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || { \
	  echo "Installing Chromium, for the tests of the pages ..." && export DEBIAN_FRONTEND=noninteractive; \
	  apt-get -qq -o Acquire::Retries=3 update >/dev/null; \
	  $(INSTALL) chromium-headless-shell >/dev/null 2>&1 || command -v $(CHROMIUMS) >/dev/null \
	  || $(INSTALL) chromium >/dev/null 2>&1 || true; }
	@touch $@

screenshots: $(READY) browser ## take the screenshots of the documentation again
	@$(BIN)/python -m tests.e2e.pages.screenshots

# What needs no running stack: that the template, the machines, the tables in the code and the documents fit together.
FITTING := tests/template tests/statemachine/test_graph.py \
  $(patsubst %,tests/unit/test_%.py,steps statuses sentences catalogs openapi decisions fields personal_data views)

check: lint ## formatting, lint, types, the lock, and that the template, the machines, the tables and the documents fit together
	@$(BIN)/pytest --quiet -n auto --dist loadfile $(FITTING)

# The slow ones beside each other; what each of them says comes in one piece.
lint: $(READY)
	@echo "Checking types, pages, templates, code and the lock ..."
	@$(TICKING) $(MAKE) --no-print-directory --jobs 2 --output-sync=target lint-types lint-pages lint-templates lint-code lint-lock

lint-types: $(READY)
	@$(BIN)/mypy --no-error-summary --num-workers auto $(MODULES)

lint-code: $(READY)
	@$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "Formatting differs: make lint-fix" >&2; exit 1; }
	@$(BIN)/ruff check --quiet $(SOURCES)
	@found="$$($(BIN)/lint-imports --no-cache 2>&1)" || { echo "$$found" >&2; exit 1; }

lint-lock: $(READY)
	@$(UV) lock --check --quiet || { echo "pyproject.toml and uv.lock differ: make lock" >&2; exit 1; }
	@$(EXPORT) --no-default-groups | diff -q - layers/orders/requirements.txt >/dev/null \
	  || { echo "layers/orders/requirements.txt differs from uv.lock: make lock" >&2; exit 1; }
	@$(EXPORT) --only-group identity | diff -q - layers/identity/requirements.txt >/dev/null \
	  || { echo "layers/identity/requirements.txt differs from uv.lock: make lock" >&2; exit 1; }
	@$(EXPORT) --only-group stripe | diff -q - layers/stripe/requirements.txt >/dev/null \
	  || { echo "layers/stripe/requirements.txt differs from uv.lock: make lock" >&2; exit 1; }

# Nothing else decides what cfn-lint says: it is asked again once one of these has changed.
TEMPLATES := template.yaml operations.yaml
lint-templates: $(VENV)/.templates
	@:

$(VENV)/.templates: $(TEMPLATES) $(wildcard statemachine/*) $(READY)
	@$(BIN)/cfn-lint $(TEMPLATES)
	@touch $@

# Without it the rest is checked all the same: no reason to fail where nothing can be installed.
lint-pages: $(READY) $(if $(shell command -v npm),$(PAGES_LINT)/.ready)
	@test -f $(PAGES_LINT)/.ready || { echo "The scripts of the pages are not linted: npm is missing, or could not install the linter."; exit 0; }; \
	  $(ESLINT) functions/pages; \
	  $(PRETTIER) --check $(PAGES_CODE) || { echo "Formatting differs: make lint-fix" >&2; exit 1; }

check-sam: $(READY) $(TOOLS)/sam/.ready ## sam validate, sam build and a lint of the expanded template (downloads sam once)
	@$(SAM) validate --region us-east-1
	@$(SAM) validate --lint --region us-east-1
	@mkdir -p .aws-sam
	@$(BIN)/python -m local.stack.template template.yaml > .aws-sam/expanded.json
	@cp operations.yaml .aws-sam/
	@# Packaging puts the nested template's address in (W3002).
	@$(BIN)/cfn-lint --ignore-checks W3002 -- .aws-sam/expanded.json
	@$(SAM) build
	@echo "Ready to deploy. Next: make deploy (or STAGE=prod make deploy), with AWS credentials and a region set"

deploy: $(READY) $(TOOLS)/sam/.ready ## build and deploy the development stack; STAGE=prod for production; AT_ONCE=1 while an alarm is on
	@$(SAM) build --config-env $(STAGE)
	@$(SAM) deploy --config-env $(STAGE) $(if $(AT_ONCE),--parameter-overrides GradualDeployment=false)

check-security: $(READY) $(TOOLS)/checkov/.ready ## checkov and cfn-lint on both templates (downloads checkov once)
	@$(BIN)/cfn-lint template.yaml operations.yaml
	@$(TOOLS)/checkov/bin/checkov --config-file .checkov.yaml
	@echo "Nothing found, except the exceptions with a reason in template.yaml and .checkov.yaml"

# All that the locks name, with its hashes; the advisories are asked for over the network, which not every machine has.
audit: $(READY) $(TOOLS)/pip-audit/.ready ## check the locked packages for known vulnerabilities (needs the network)
	@mkdir -p .cache
	@$(EXPORT) --all-groups --output-file .cache/requirements.txt
	@for locked in .cache/requirements.txt tools/*.txt; do \
	  $(TOOLS)/pip-audit/bin/pip-audit --strict --progress-spinner off --require-hashes --disable-pip --requirement $$locked \
	  || { echo "$$locked: not clean, or not audited (without the advisories' database every package counts as not audited)" >&2; exit 1; }; done

# Not the fuzzing: it writes whatever it thinks of into the catalog that the other tests order from.
e2e: $(READY) ## the black-box suite against a deployed stack: URL=https://... TOKEN_CMD='command'
	@test -n "$(URL)" && test -n "$(TOKEN_CMD)" || { \
	  echo "Say where, and what prints a token when it is given SUB [--group GROUP]... or --shop: make e2e URL=https://... TOKEN_CMD='...'" >&2; exit 1; }
	@ORDERS_URL='$(URL)' TOKEN_CMD='$(TOKEN_CMD)' $(BIN)/pytest tests/e2e \
	  --ignore=tests/e2e/pages --ignore=tests/e2e/test_fuzz.py

invoke: $(READY) $(TOOLS)/sam/.ready $(TOOLS)/runtime/.ready ## run one function in Lambda's runtime: FUNCTION=reserve_stock [EVENT=events/...json] (downloads sam once)
	@$(BIN)/python -m local.cli.invoke $(FUNCTION) $(if $(EVENT),--event $(EVENT)) \
	  --emulators "$$(echo $(TOOLS)/sam/lib/python*/site-packages/samcli/local/rapid)" \
	  --runtime "$$(echo $(TOOLS)/runtime/lib/python*/site-packages)"

fuzz: $(READY) ## run schemathesis on a temporary local stack, with a new seed (some minutes)
	@E2E_FULL=1 $(BIN)/pytest --quiet tests/e2e/test_fuzz.py

openapi: $(READY) ## generate docs/openapi.json from the code
	@$(BIN)/python -c 'import json; from orders.web.openapi import document; print(json.dumps(document(), indent=2, ensure_ascii=False))' \
	  > docs/openapi.json

operations: $(READY) ## generate the alarms and the dashboard of operations.yaml from template.yaml
	@$(BIN)/python -m tools.operations

lint-fix: $(READY) ## fix what ruff, eslint and prettier can fix
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)
	@if test -f $(PAGES_LINT)/.ready; then $(ESLINT) --fix functions/pages; $(PRETTIER) --write $(PAGES_CODE); fi

lock: $(READY) ## resolve the dependencies, and write the requirements of the layers and the locks of the tools
	@$(UV) lock
	@for tool in tools/*.in; do $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --output-file $${tool%.in}.txt $$tool; done
	@if command -v npm >/dev/null; then for tool in pages clients; do \
	  npm install --prefix tools/$$tool --package-lock-only --ignore-scripts --no-audit --no-fund --loglevel error; done; fi
	@$(EXPORT) --no-default-groups --output-file layers/orders/requirements.txt
	@$(EXPORT) --only-group identity --output-file layers/identity/requirements.txt
	@$(EXPORT) --only-group stripe --output-file layers/stripe/requirements.txt

clean: ## remove the environment and everything built
	rm -rf $(VENV) .venvs .aws-sam $(PACKED) $(GENERATED) .mypy_cache .pytest_cache .ruff_cache .hypothesis
