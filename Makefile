# `make demo` and `make test` are all a fresh machine needs; both set up what is missing.
# ARGS goes to the command: make demo ARGS="--json --for 15", make test ARGS="-k outbox".

ARGS ?=
# So many tests side by side: most of them wait, for timers, devices and brokers.
AT_ONCE ?= 4
VENV := .venv
BIN := $(VENV)/bin
# Debian's own interpreter where there is one: what an installed terminal runs.
PYTHON ?= $(shell for p in /usr/bin/python3 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test unit check format coverage bench soak guest docs packages clean

demo: $(VENV)/.demo
	@$(BIN)/tillwatch demo $(ARGS)

test: packages $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -m "not soak and not alone" -n $(AT_ONCE) --dist worksteal -ra $(ARGS)
	$(BIN)/pytest -m "alone and not soak" -ra $(ARGS) || [ $$? -eq 5 ] # 5: ARGS chose none of these

unit: $(VENV)/.dev
	$(BIN)/pytest -m "not system and not slow and not soak" -n 2 --dist worksteal $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every branch of what must not be wrong: codecs, judgement, storage.
ESCPOS := drivers/printer/escpos
SHARING := $(ESCPOS)/till.py,$(ESCPOS)/commands.py,$(ESCPOS)/junction.py,$(ESCPOS)/replies.py,$(ESCPOS)/claims.py
COVERED := drivers/*/wire.py,drivers/*/*/wire.py,$(SHARING),$(ESCPOS)/automatic.py,$(ESCPOS)/splitter.py,agent/diagnosis/*,agent/outbox/*
coverage: $(VENV)/.dev
	$(BIN)/coverage run -m pytest -m "not system and not slow and not soak" tests/agent tests/drivers $(ARGS)
	$(BIN)/coverage report --include='$(COVERED)' --fail-under=100

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	@sh tests/tools/packages.sh bench
	$(BIN)/python -m tests.bench $(ARGS)

soak: packages $(VENV)/.dev
	$(BIN)/pytest -m soak -ra --timeout=7200 $(ARGS)

# A kernel that has USB, for the tests that want one; they are skipped without it.
guest:
	@sh tests/tools/guest.sh

docs: $(VENV)/.dev
	$(BIN)/python -m tests.tools.docs

# Setting up says nothing on stdout: `make demo ARGS=--json` is for pipes.
$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON)" >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]' >&2
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' >&2
	@touch $@ $(VENV)/.demo

# Real brokers and tools for the tests; asked for only when missing, and only where root may install them.
packages:
	@sh tests/tools/packages.sh

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
