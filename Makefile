# What a contributor runs. `make setup` first; everything else uses its environment, or the one that is active.
venv := $(wildcard .venv/bin)
export PATH := $(if $(venv),$(CURDIR)/.venv/bin:)$(PATH)

.PHONY: setup check test coverage campaign bench docs

setup:  ## an environment in .venv with all that the tests need
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -e '.[test,bench]'

check:  ## style, types and import contracts
	ruff check .
	ruff format --check .
	mypy
	lint-imports

test:  ## the whole suite, four tests at a time
	python -m pytest

coverage: export COVERAGE_FILE = $(CURDIR)/build/coverage/data
coverage:  ## which lines of lrtui the suite runs, in any process; a test that fails does not end it
	rm -rf build/coverage && mkdir -p build/coverage
	-python -m coverage run -m pytest $(TESTS)
	python -m coverage combine --quiet
	python -m coverage report

campaign:  ## the full length of every test of which the suite runs a sample: hours
	python -m pytest --campaign -m campaign

bench:  ## how fast and how quiet the monitor is, and what a training costs
	python -m tests.benchmarks.monitor --short
	python -m tests.benchmarks.start

docs:  ## the documentation site in site/; a broken link is an error
	.venv/bin/pip install --quiet --disable-pip-version-check -e '.[docs]'
	mkdocs build
