# All there is to do here; `make` alone lists it. Nothing but Python 3.11 or newer (with venv) is expected.
PYTHON ?= python3
VENV := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup run demo test faults safeguards bench check format clean

help:  ## list what there is to do
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile

setup:  ## make .venv with the pinned packages (part of all below)
	@$(PYTHON) local/virtualenv.py

run: setup  ## start the service and its servers, show one order's journey, stay until Ctrl-C
	@$(VENV)/python -m local run

demo: setup  ## the same journey, then stop everything
	@$(VENV)/python -m local demo

test: check  ## all checks, then all tests, on real servers
	@$(VENV)/python -m local fetch
	@$(VENV)/python -m pytest -n 2 --dist loadfile

faults: setup  ## every fault under load: ORDERS=50000, STORM=seconds of them at random, SEED=
	@$(VENV)/python -m tests.faults $(if $(ORDERS),--orders $(ORDERS)) $(if $(STORM),--storm $(STORM)) $(if $(SEED),--seed $(SEED))

safeguards: setup  ## switch each safeguard off in a copy, and show which test notices
	@$(VENV)/python -m tests.faults.safeguards

bench: setup  ## measure the service beside its peers (hours); QUICK=1 in under 3 minutes
	@$(VENV)/python -m local fetch
	@$(VENV)/python -m bench $(if $(QUICK),--quick)

check: setup  ## format, lint, types, the direction of imports, docs in step
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/mypy .
	$(VENV)/lint-imports
	$(VENV)/python -m pytest tests/docs tests/settings/test_env_example.py

format: setup  ## format the code and sort its imports
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

clean:  ## remove the servers' data and the logs (.local)
	@$(PYTHON) -m local clean
