# The doors of the project. `make demo` and `make test` set up everything they need.
SHELL := /bin/sh
PYTHON ?= python3
PORT ?= 8000
BIND ?= 127.0.0.1
DEMO_SERVERS ?= 40
DATA_DIR ?= $(CURDIR)/var
VENV := .venv
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest
# Wheels only for the tests that need real parts; see docs/testing.md.
LOCAL_ENV = DATA_DIR=$(DATA_DIR) SECRET_KEY_FILE=$(DATA_DIR)/secret_key CREDENTIAL_KEYS_FILE=$(DATA_DIR)/credential_keys

.PHONY: help demo run test check services-test bench setup setup-dev assets messages lock fmt clean

help: ## list the doors
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 18

demo: setup ## portal, worker and a simulated fleet in one go, http://localhost:8000
	@$(PY) deploy/local_keys.py $(DATA_DIR)/demo
	@env $(subst $(DATA_DIR),$(DATA_DIR)/demo,$(LOCAL_ENV)) BMC_NETWORKS=127.0.0.0/8 POLL_SECONDS=20 \
		$(PY) manage.py demo --bind $(BIND) --port $(PORT) --servers $(DEMO_SERVERS)

run: setup ## the portal in one process, no services needed
	@$(PY) deploy/local_keys.py $(DATA_DIR)
	@env $(LOCAL_ENV) $(PY) manage.py portal --bind $(BIND) --port $(PORT)

test: setup-dev ## all tests that need nothing but Python
	$(PYTEST) -n 2 -m "not service" --cov --cov-report=term:skip-covered

check: setup-dev ## formatting, lint, types, floors, Django's checks, migrations
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	git ls-files '*.html' | xargs $(VENV)/bin/djade --target-version 5.2 --check
	$(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports
	env DJANGO_SETTINGS_MODULE=bmcportal.settings_test $(PY) manage.py check --fail-level WARNING
	@$(PY) deploy/local_keys.py $(DATA_DIR)/check
	env $(subst $(DATA_DIR),$(DATA_DIR)/check,$(LOCAL_ENV)) REDIS_URL=redis://none:6379/0 DATABASE_URL=postgres://none/none HTTPS=true \
		$(PY) manage.py check --deploy --fail-level WARNING
	env DJANGO_SETTINGS_MODULE=bmcportal.settings_test $(PY) manage.py makemigrations --check --dry-run
	$(PY) deploy/check_compose.py

services-test: setup-dev ## tests against real PostgreSQL, Redis, ipmi_sim, ipmitool, FreeIPMI, Chromium
	sh deploy/services_test.sh

bench: setup-dev ## side by side with the peers; says what to install where they lack
	$(PY) -m bench

setup: $(VENV)/run.stamp assets messages
setup-dev: $(VENV)/dev.stamp assets messages

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed; say which with PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

# The files name every package with its hash, so nothing is left to resolve: older pips would ask the
# registry for extras again, and stumble over a release that is newer than the pinned one.
$(VENV)/run.stamp: requirements.txt | $(PY)
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	@touch $@

assets: $(VENV)/run.stamp
	@$(PY) deploy/assets.py

messages: $(VENV)/run.stamp
	@$(PY) deploy/messages.py

lock: $(VENV)/dev.stamp ## compile the requirements again
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements.in -o requirements.txt
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements.txt requirements-dev.in -o requirements-dev.txt

fmt: $(VENV)/dev.stamp ## format everything
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix -q .
	git ls-files '*.html' | xargs $(VENV)/bin/djade --target-version 5.2

clean: ## remove what was built; keys and data in var/ stay
	rm -rf $(VENV) static/vendor node_modules .mypy_cache .ruff_cache
