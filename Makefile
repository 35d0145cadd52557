# Needs Python 3.11 or newer (with venv) and make, nothing else: the first call makes .venv and
# installs into it what constraints.txt names, later calls start at once.

PYTHON ?= python3
ARGS ?=
PY := .venv/bin/python

# The stamps carry a sum of the folder's name: a tree that was moved with its .venv installs anew.
ID := $(shell printf %s "$(CURDIR)" | cksum | cut -d ' ' -f 1)
INSTALLED := .venv/.installed-$(ID)
INSTALLED_TEST := .venv/.installed-test-$(ID)
PIP_INSTALL := $(PY) -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

# -P keeps this folder off the path, so that `import games` cannot stand in for `import ebit.games`.
PYTEST := OPENBLAS_NUM_THREADS=1 $(PY) -P -m pytest

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check dev lint format types slow fix clean

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## */\1 - /p' Makefile
	@echo 'Another Python: make test PYTHON=python3.13. Arguments of pytest: make test ARGS="-k games".'

demo: $(INSTALLED) ## the main job on the built-in simulator; writes out/demo
	.venv/bin/ebit demo $(ARGS)

test: $(INSTALLED_TEST) ## the tests that take seconds
	$(PYTEST) -m "not slow" $(ARGS)

check: lint format types test demo slow ## everything that CI runs

dev: $(INSTALLED_TEST) ## .venv with the test tools, and the links that type checkers follow
	@$(PY) tools/link_types.py
	@echo 'Ready: . .venv/bin/activate'

lint: $(INSTALLED_TEST) ## ruff
	$(PY) -m ruff check .

format: $(INSTALLED_TEST) ## is everything formatted?
	$(PY) -m ruff format --check .

types: $(INSTALLED_TEST) ## mypy, strict
	@$(PY) tools/link_types.py
	$(PY) -m mypy

slow: $(INSTALLED_TEST) ## proofs by simulation, notebooks, wheel contents, the commands of the README
	$(PYTEST) -m slow $(ARGS)

fix: $(INSTALLED_TEST) ## format, and repair what ruff can repair
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean: ## remove what was built and written, but not .venv
	rm -rf build dist ebit.egg-info out typings .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): pyproject.toml constraints.txt | $(PY)
	@echo 'Installing ebit into .venv (a minute or two, once)'
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade >/dev/null
	@$(PIP_INSTALL) --editable .
	@touch $@

$(INSTALLED_TEST): pyproject.toml constraints.txt | $(PY)
	@echo 'Installing ebit and its test tools into .venv (a minute or two, once)'
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade >/dev/null
	@$(PIP_INSTALL) --editable '.[test]'
	@touch $(INSTALLED) $@

$(PY):
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo 'ebit needs Python 3.11 or newer, and there is no "$(PYTHON)" here.'; \
	  echo 'Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3'; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ebit needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) -V 2>&1)."; \
	  echo 'Name another: make $(MAKECMDGOALS) PYTHON=python3.12'; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) comes without its venv module, which ebit needs to install into .venv.'; \
	  echo 'On Debian and Ubuntu: sudo apt install python3-venv'; exit 1; } >&2
	@$(PYTHON) -m venv --clear .venv
