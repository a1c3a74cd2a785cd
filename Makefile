# deployd. Each target prepares what it needs (scripts/setup.sh) and says what it does.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test unit lint bench chaos screenshots clean

PYTHON := .venv/bin/python
unexport PYTHONDONTWRITEBYTECODE   # tests start the daemon some hundred times, and each would compile all of it

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

demo: ## push the sample shop, then push a change under load (TEMPLATE=name or folder: another project)
	@scripts/setup.sh demo
	@$(PYTHON) -u -m scripts.demo up $(if $(TEMPLATE),--template '$(TEMPLATE)')

demo-down: ## remove all that the demo made
	@if [ -x $(PYTHON) ]; then $(PYTHON) -u -m scripts.demo down; else echo 'demo: nothing to remove'; fi

test: ## all tests, on real parts (ARGS='-k name' goes to pytest; WORKERS=n files side by side)
	@scripts/setup.sh test
	@$(PYTHON) -m pytest --numprocesses $(or $(WORKERS),$$(($$(nproc) + 1))) --dist loadfile --no-loadscope-reorder $(ARGS)

unit: ## the tests that need no Docker and are over in a minute (ARGS goes to pytest)
	@scripts/setup.sh lint
	@$(PYTHON) -m pytest --quiet --numprocesses $$(nproc) --dist loadfile $(ARGS) tests/unit

lint: ## ruff, mypy, luacheck, the walls between the rooms, dependencies
	@scripts/setup.sh lint
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@luacheck --quiet config/router/lua tests/unit/router/lua
	@.venv/bin/lint-imports
	@.venv/bin/deptry .

bench: ## benchmarks against their peers (ONLY=name runs one)
	@scripts/setup.sh bench
	@$(PYTHON) -u -m tests.bench $(if $(ONLY),--only '$(ONLY)')

chaos: ## kill the daemon again and again under load, and count what is lost (SEED=, and KILLS= or MINUTES=)
	@scripts/setup.sh test
	@$(PYTHON) -u -m tests.chaos $(if $(SEED),--seed '$(SEED)') $(if $(KILLS),--kills '$(KILLS)') $(if $(MINUTES),--minutes '$(MINUTES)')

screenshots: ## the console as it looks, light and dark, in docs/pictures
	@scripts/setup.sh test
	@$(PYTHON) -m scripts.screenshots

clean: ## remove what was made here: build/, caches; not .venv, not the demo's containers (make demo-down)
	@if [ -e build/demo/deployd.yaml ]; then echo 'clean: the demo is up; run make demo-down first' >&2; exit 1; fi
	@if [ -e build/dockerd.pid ] && kill -0 "$$(cat build/dockerd.pid)" 2> /dev/null; then cp build/dockerd.pid .dockerd.pid; fi
	@rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	@if [ -e .dockerd.pid ]; then mkdir -p build; mv .dockerd.pid build/dockerd.pid; fi
