# `make tune` runs the main job on a fresh machine, `make test` the tests; both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

.PHONY: tune test slow check site format clean
.DEFAULT_GOAL := help

help:
	@echo "make tune    set up, then tune a small CNN on handwritten digits and show what was gained"
	@echo "make test    set up, then run the tests"
	@echo "make slow    set up, then run the long tests too (real images, crash drills)"
	@echo "make check   set up, then lint, type-check and build the site"
	@echo "make site    set up, then build the documents as a site in build/site"
	@echo "make format  format the code"
	@echo "make clean   remove .venv and caches (never runs/)"

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps quantus  # it asks for a second OpenCV
	@touch $@

tune: $(VENV)/.ready
	$(BIN)/tuner demo

test: $(VENV)/.ready
	$(PYTEST)

slow: $(VENV)/.ready
	$(PYTEST) -m 'slow or not slow'

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(SITE)

site: $(VENV)/.ready
	$(SITE)

format: $(VENV)/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
