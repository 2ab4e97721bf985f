# Two commands to know: `make demo` and `make test`. Everything lives in .venv and .ballast; `make clean` removes both.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
MEASURED := $(VENV)/.measured

.PHONY: demo chaos test test-slow check up bench bench-quick clean install format

demo: install          ## a whole seller's world, orders from payment to sign-off
	$(BIN)/ballast demo

chaos: install         ## processes killed, systems failing: every order ends right all the same; takes `--seed` as SEED=
	$(BIN)/ballast chaos --orders $(or $(ORDERS),1000) --seed $(or $(SEED),1) --minutes $(or $(MINUTES),5) \
	  --json $(or $(FILE),.ballast/chaos.json)

test: install          ## every test that a change must pass
	$(BIN)/python -m pytest -m "not slow" -n $(or $(WORKERS),2) --dist loadfile --no-loadscope-reorder

test-slow: install     ## the long ones too
	$(BIN)/python -m pytest

check: install         ## lint, types, layers, size budget
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit/test_budget.py

up: install            ## all services of one machine, until Ctrl-C
	$(BIN)/ballast up

bench: $(MEASURED)      ## Ballast against the bare machine and two peers, writes bench/results.json; 25 minutes
	$(BIN)/python -m bench --json bench/results.json

bench-quick: $(MEASURED) ## the same with few orders: shows that it works, not how fast it is
	$(BIN)/python -m bench --quick --json .ballast/bench-quick.json

format: install
	$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

install: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Ballast needs Python 3.11 or newer: make PYTHON=python3.11 demo")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

$(MEASURED): bench/requirements.lock $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r bench/requirements.lock
	@touch $(MEASURED)

clean:
	rm -rf $(VENV) .ballast .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
