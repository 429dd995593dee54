# Every verb works on a machine with Python 3.10 or newer and make; nothing else is needed.
PYTHON ?= python3
BIN := .venv/bin
ORDERS ?= 2000
SEED ?= 1
DEMO ?= demo

.PHONY: help demo test check docs bench clean format

help:  ## list the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

demo: .venv/ready  ## make sample deliveries, run the whole pipeline, print what came out
	@$(BIN)/python -m samples.demo "$(DEMO)" --orders $(ORDERS) --seed $(SEED)

test: .venv/ready  ## run all tests, and those of the data path over Spark Connect too
	@$(BIN)/python -m pytest -m "not spark" -n 2
	@$(BIN)/python -m pytest -m spark -n 2 --dist loadfile
	@LAKEPACT_TEST_REMOTE="local[2]" $(BIN)/python -m pytest -m spark tests/scenarios tests/library tests/transforms

check: .venv/ready  ## format, lint, types, layers, contracts, and the tests that need no Spark
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -c 'import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command(["--no-cache"]))'
	@$(BIN)/python -m framework validate --strict
	@$(BIN)/python -m framework validate --strict --project examples/online_retail
	@$(BIN)/python -m pytest --doctest-modules framework/spec framework/plan framework/lakehouse tests -m "not spark" -n 2

docs: .venv/ready  ## write editor schemas, the contract reference and the pages of problem codes
	@$(BIN)/python -m docs.generate

bench: .venv/ready  ## measure `validate`, full runs, and the engine against the same product written by hand
	@$(BIN)/python benchmarks/validate.py
	@$(BIN)/python benchmarks/full_run.py
	@$(BIN)/python benchmarks/compare.py

format: .venv/ready  ## format the code
	@$(BIN)/python -m ruff format .
	@$(BIN)/python -m ruff check --fix .

clean:  ## remove the environment and everything that was made
	rm -rf .venv "$(DEMO)" build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis spark-warehouse

# Commands are called through the interpreter: a script's first line cannot name a path with blanks.
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12 …")'
	@echo "Preparing .venv (once, about a minute) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[local,dev]"
	@touch .venv/ready
