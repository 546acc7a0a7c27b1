# Reeflens: `make demo` to see it, `make check` to test it. Needs Python 3.11 or later and make; the rest it installs into .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: install install-dev demo check lint types test-web test fuzz kills soak clean

install: .venv/installed

install-dev: .venv/installed-dev

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Reeflens needs Python 3.11 or later; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install -c constraints.txt -e .
	@touch $@

.venv/installed-dev: .venv/installed
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

demo: install
	$(BIN)/reeflens serve

check: lint types test-web test

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/mypy

# A person without node sees these skipped; CI fails.
test-web:
	@if command -v node >/dev/null; then node --test tests/web/*.test.mjs; \
	elif [ -n "$$CI" ]; then echo "node is missing" >&2; exit 1; \
	else echo "skipped: tests/web needs node 20 or later"; fi

test: install-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Inputs for each of forty parsers, over a million together, and then requests and frames to a running server.
FUZZ_INPUTS ?= 32000

fuzz: install-dev
	FUZZ_INPUTS=$(FUZZ_INPUTS) $(BIN)/python -m pytest -s -q tests/test_fuzz.py tests/serving/test_any_request.py tests/serving/test_websocket_frames.py

# Everything that goes wrong, at once, and what the server makes of it; needs GStreamer, and root for the full disk.
SOAK_MINUTES ?= 60

soak: install-dev
	$(BIN)/python bench/soak.py --minutes $(SOAK_MINUTES) --json soak.json

# kill -9 at so many random moments of each of six kinds of work; takes a while.
KILLS ?= 50

kills: install-dev
	$(BIN)/python bench/kills.py --moments $(KILLS)

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
