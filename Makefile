# Each target works on a bare Debian machine with python3 and make: it makes its own environment first.
# Another Python: make PYTHON=python3.13 test

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_HOME ?= .demo

.PHONY: env demo test retired e2e lint docs bench build

env:
	@$(PYTHON) tools/make_env.py $(VENV)

# Asks at the prompt where there is a terminal; elsewhere the simulator's yes is given. A denial (3) is a fine ending.
demo: env
	@if [ -t 0 ] && [ -t 2 ]; then approve=; else approve=--approve-simulated; fi; \
	AIOPS_HOME="$(DEMO_HOME)" $(BIN)/aiops replay payments-evening --reasoner offline $$approve || [ $$? -eq 3 ]; \
	echo "The demo's records are apart from yours: AIOPS_HOME=$(DEMO_HOME) $(BIN)/aiops history list"

# Needs no server: a test that wants one that is absent is skipped, and says so. In CI those are left to `make e2e`,
# where an absent server is a failure.
test: env
	@$(BIN)/python -m pytest -rs $(if $(CI),-m "not e2e")

# The retired SDK of Google holds protobuf below 6, which nothing else here should be held to.
retired:
	@$(PYTHON) tools/make_env.py $(VENV)-retired google-generativeai pytest
	@$(VENV)-retired/bin/python -W ignore -c "import google.generativeai"
	@$(VENV)-retired/bin/python -m pytest -rs -p no:cacheprovider tests/adapters/test_generativeai.py \
	  tests/contract/test_models.py -k "retired or generativeai"

e2e: env
	@tools/install_servers
	@$(PYTHON) tools/install_mlflow.py $(VENV)-mlflow
	@$(BIN)/python -m pytest -m e2e

lint: env
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python tools/gen_docs.py --check

docs: env
	@$(BIN)/python tools/gen_docs.py

bench: env
	@$(BIN)/python benchmarks/startup.py
	@$(BIN)/python benchmarks/simulator.py
	@$(BIN)/python benchmarks/reasoner.py
	@$(BIN)/python benchmarks/redaction.py 20000
	@$(BIN)/python benchmarks/search_quality.py --typos
	@$(BIN)/python benchmarks/search_growth.py --sizes 1000
	@$(BIN)/python benchmarks/store_load.py --seconds 10 --processes 4
	@$(BIN)/python benchmarks/calibrate.py --check
	@$(BIN)/python benchmarks/gathering.py
	@$(BIN)/python benchmarks/install_size.py

build: env
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist . > /dev/null
	@ls dist
