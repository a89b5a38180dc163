PYTHON ?= python3
VENV ?= .venv
DEMO_DIR ?= runs/demo
PYTEST_ARGS ?=

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml constraints.txt
	@echo "==> Installing collapse_guard and what it is tested with into $(VENV): once, 1.5 minutes where downloads are quick, 2 GB."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name yours: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable ".[all,dev]"
	@touch $@

demo: $(INSTALLED) ## See a model collapse, and be kept from it, on real text and offline
	@echo "==> Pre-training a small model and fine-tuning it on its own text: 3 to 5 minutes on two cores."
	@HF_HUB_OFFLINE=1 $(BIN)/python -m collapse_guard.examples.recursive_finetune --preset laptop --output-dir $(DEMO_DIR)

test: $(INSTALLED) ## Run every test and every docstring example
	@echo "==> Testing: about 9 minutes on two cores."
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(INSTALLED) ## Check style, types and the direction of imports
	@echo "==> Checking style, types and imports: under a minute on two cores, then seconds."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(INSTALLED) ## Measure what the package costs on this machine
	@echo "==> Measuring."
	@$(BIN)/python -m pytest -m benchmark --capture=no tests/benchmarks $(PYTEST_ARGS)

clean: ## Remove caches and builds; the environment and runs/ stay
	@rm -rf build dist *.egg-info .coverage htmlcov
	@rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
