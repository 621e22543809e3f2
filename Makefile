# All tasks of this repository. `make` alone lists them.
# Set-up runs by itself, into .venv, and again only when pyproject.toml or constraints.txt change.

VENV := .venv
BIN := $(VENV)/bin
SET_UP := $(VENV)/.set-up
SEED := 1
COUNT := 160
# Agent servers from npm, for the tests against the real thing.
SERVERS := .real-servers

# The newest suitable Python; PYTHON=/path/to/python overrides.
PYTHONS := $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3)
WILL_DO := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

.PHONY: help run test check docs package mutants chaos hostile real screenshots bench bench-peer soak clean

help:
	@echo 'make run          the client, on a scripted server of its own'
	@echo 'make test         the whole suite, except what needs npm'
	@echo 'make check        format, lint, types and import contracts'
	@echo 'make docs         docs/keys.md, docs/json.schema.json and tables of other pages, from the code'
	@echo 'make chaos        2,000 seeded schedules of faults; make test runs the first 200; a client killed at 20 points;'
	@echo '                  10,000 examples of damaged JSON for each family'
	@echo 'make hostile      every attack on every route, and their table in docs/security.md; make test runs a tenth'
	@echo 'make mutants      tests the tests: small faults in core, net, backends and client; SEED=2 draws others'
	@echo 'make package      builds the wheel, installs it with pipx and uv, and runs it (needs a package index)'
	@echo 'make real         the suite against real agent servers (needs npm)'
	@echo 'make bench        CPU, memory and delays, measured on this machine, as a table; ONLY=streams selects a part'
	@echo 'make bench-peer   the same streams compared with opencode attach (needs make real)'
	@echo 'make soak         one long turn, and its memory use'
	@echo 'make screenshots  take the pictures in screenshots/ again'
	@echo 'make clean        remove the set-up'

run: $(SET_UP)
	@$(BIN)/holdfast --demo

test: $(SET_UP)
	$(BIN)/pytest -m 'not real and not chaos and not package' -n 3 --dist worksteal

check: $(SET_UP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(SET_UP)
	$(BIN)/python -m tests.documented_keys
	$(BIN)/python -m tests.documented_json

chaos: $(SET_UP)
	$(BIN)/pytest tests/chaos --schedules=2000 -n 2
	$(BIN)/pytest tests/end_to_end/test_killed.py -n 2
	$(BIN)/pytest tests/backends/test_any_json.py tests/storage/test_journal_damaged_json.py --hypothesis-profile=chaos --timeout=3600 -n 2

# About ten minutes.
hostile: $(SET_UP)
	$(BIN)/pytest tests/hostile --attacks=all --write-table -n 3 --dist worksteal

# Under half an hour on two cores.
mutants: $(SET_UP)
	nice $(BIN)/python -m tests.mutants --seed $(SEED) --count $(COUNT)

package: $(SET_UP)
	$(BIN)/pytest -m package tests/end_to_end/test_wheel.py

real: $(SET_UP) $(SERVERS)/.set-up
	$(BIN)/pytest -m real -n 2 --dist worksteal tests/real

# About four minutes; ONLY="idle streams" takes single measurements.
bench: $(SET_UP)
	@$(BIN)/python -m benchmarks $(ONLY)

# About five minutes, beside a real opencode: that of `make real`, or the one on PATH.
bench-peer: $(SET_UP)
	@$(BIN)/python -m benchmarks.peer

screenshots: $(SET_UP)
	$(BIN)/python -m screenshots.take

# Ten minutes, most of them waiting.
soak: $(SET_UP)
	$(BIN)/python -m benchmarks.soak

clean:
	rm -rf $(VENV) $(SERVERS)

$(SET_UP): pyproject.toml constraints.txt
	@echo 'Setting up $(VENV) …'
	@$(BIN)/python -c 'import pip; $(WILL_DO)' 2>/dev/null || { \
	  for python in $(PYTHONS); do \
	    "$$python" -c '$(WILL_DO)' 2>/dev/null && break; python=; \
	  done; \
	  [ -n "$$python" ] || { \
	    echo 'Holdfast needs Python 3.11 or newer, with venv (on Debian: apt install python3-venv).' >&2; \
	    echo 'None found as: $(PYTHONS). Name one: make PYTHON=/path/to/python' >&2; exit 1; }; \
	  "$$python" -m venv --clear $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# npm's policy on install scripts differs from machine to machine; the one that matters here is run by hand.
$(SERVERS)/.set-up: tests/real/package.json
	@command -v npm >/dev/null || { \
	  echo 'make real needs npm, to install the real servers: install Node.js 22 or newer.' >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 22 ? 1 : 0)' || \
	  echo "qwen serve asks for Node.js 22 or newer, this is $$(node --version): where its tests fail, install that." >&2
	@mkdir -p $(SERVERS)
	@cp tests/real/package.json $(SERVERS)/
	npm install --prefix $(SERVERS) --no-package-lock --ignore-scripts --no-audit --no-fund
	node $(SERVERS)/node_modules/opencode-ai/postinstall.mjs
	@touch $@
