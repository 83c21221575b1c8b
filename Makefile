# `make demo` and `make test` are all that is needed from a fresh clone; both set up first.
# PYTHON picks the interpreter (3.11 or newer); WORKERS the processes that compute.

PYTHON ?= python3
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
# The pins go with every call: without them pip may fetch another, far larger torch.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
TYPED := .mypy_cache/package

export FLWR_TELEMETRY_ENABLED := 0
export FLWR_DISABLE_UPDATE_CHECK := 1
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: help demo test test-processes lint format docs site clean

help:
	@echo "make demo    set up, write three phantom hospitals, train across them, report"
	@echo "make test    set up, check style and types, run the tests"
	@echo "make test-processes  start real coordinators and sites, and kill them (minutes)"
	@echo "make lint    style and types only"
	@echo "make format  put the code into the house style"
	@echo "make docs    renew the generated pages of docs/"
	@echo "make site    documentation and API reference as static pages, in build/site"
	@echo "make clean   remove the environment and everything that was made"

demo: $(VENV)/ready
	rm -rf demo
	$(BIN)/fedscan phantoms demo/hospitals --patients 120,90,60 --workers $(WORKERS)
	$(BIN)/fedscan simulate --data demo/hospitals --config config/demo.toml --workers $(WORKERS) --out demo
	@echo
	@echo "Generator  demo/generator"
	@echo "Gallery    demo/gallery"
	@echo "Report     demo/report.html"

test: lint
	$(BIN)/python -m pytest -n $(WORKERS)

test-processes: $(VENV)/ready-dev
	$(BIN)/python -m pytest -m real_processes

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p $(TYPED) && ln -sfn "$(CURDIR)" $(TYPED)/fedscan
	MYPYPATH=$(TYPED) $(BIN)/mypy -p fedscan

format: $(VENV)/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/ready
	$(BIN)/python -m fedscan.config.reference > docs/configuration.md
	$(BIN)/python -m fedscan.cli.reference > docs/commands.md
	$(BIN)/python -m fedscan.model.words.reference > docs/words.md

# Not --quiet: a warning, such as that of a broken link, would neither be shown nor count.
site: $(VENV)/ready-site
	@rm -rf build/package && mkdir -p build/package/fedscan
	@ln -s $(addprefix $(CURDIR)/,__init__.py errors.py $(patsubst %/__init__.py,%,$(wildcard */__init__.py))) build/package/fedscan
	$(BIN)/mkdocs build --strict --clean -f docs/site/mkdocs.yml
	@echo "Pages in build/site/index.html"

clean:
	rm -rf $(VENV) demo build .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/ready: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) torch
	$(INSTALL) -e .
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready
	$(INSTALL) -e ".[dev]"
	@touch $@

$(VENV)/ready-site: $(VENV)/ready
	$(INSTALL) -e ".[site]"
	@touch $@
