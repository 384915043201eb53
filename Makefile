# make demo    a real S3 server on this machine, the main job stock and accelerated, side by side
# make test    all tests
#
# Both begin with a bare checkout, Python 3.10 or newer and make. Another Python: make PYTHON=python3.13 test

PYTHON ?= python3
# More arguments: make test PYTEST="-k signing -x", make test-matrix MATRIX="--only oldest",
# make bench BENCH="--json", make soak SOAK="--world async --http aiohttp",
# make sweep SWEEP="--service sqs --seed 1".
PYTEST ?=
MATRIX ?=
BENCH ?=
SOAK ?=
MOTO ?=
CRASH ?=
SWEEP ?=

VENV := .venv
VENVS := .venvs
RUN := $(VENV)/bin/python

# The name of a stamp holds the version of Python: with another one the environment is made anew.
VERSION := $(shell $(PYTHON) -c "import sys; print('%d.%d.%d' % sys.version_info[:3])")
DEMO := $(VENV)/.demo-$(VERSION)
DEV := $(VENV)/.dev-$(VERSION)
TYPES := $(VENVS)/.types-$(VERSION)
AWSCLI := $(VENVS)/.awscli-$(VERSION)
MOTO_SUITE := $(VENVS)/.moto-$(VERSION)
SOURCES := setup.cfg pyproject.toml tools/environment.py

.PHONY: demo test test-engines soak redis redis-machine crash clients twins sweep awscli moto lint types build smoke docs bench test-matrix format clean
.DELETE_ON_ERROR:

demo: $(DEMO)
	$(RUN) examples/demo.py

test: $(DEV)
	$(RUN) -m pytest -n auto --dist worksteal $(PYTEST)

# Tests of the fast path with each of the HTTP engines; make test has one besides "direct" for each.
test-engines: $(DEV)
	BOTO_ACCEL_ALL_ENGINES=1 $(RUN) -m pytest -n auto --dist worksteal tests/fastpath tests/faults tests/parity $(PYTEST)

# 200,000 calls in each world, with faults, interruptions and closings: about ten minutes.
soak: $(DEV)
	$(RUN) -m tests.soak $(SOAK)

# The tests of S3 on Redis at another server: make redis SERVER=/usr/bin/redis-server
redis: $(DEV)
	BOTO_ACCEL_TEST_REDIS=$(SERVER) $(RUN) -m pytest tests/redis_store

# S3 on Redis held to a plain dict: 2,000 runs on one server, 200 on a cluster; ten minutes.
redis-machine: $(DEV)
	BOTO_ACCEL_MACHINE_RUNS=2000 $(RUN) -m pytest -n 0 tests/redis_store/test_machine.py -k one_server
	BOTO_ACCEL_MACHINE_RUNS=200 $(RUN) -m pytest -n 0 tests/redis_store/test_machine.py -k cluster

# Random programs on two clients, one stock and one fast, 5,000 in each world: a quarter of an hour.
twins: $(DEV)
	BOTO_ACCEL_TWINS=5000 $(RUN) -m pytest -n 2 tests/twins

# Every operation of every service, stock and fast: about an hour of one core. Goes on where it was
# interrupted, and writes docs/parity.md.
sweep: $(DEV)
	$(RUN) -m tests.sweep $(SWEEP)

# Clients of all services, made stock and under accelerate(), compared: a quarter of an hour or more.
clients: $(DEV)
	$(RUN) -m tests.making

# 200 processes that put into batches, each killed at a random point: a quarter of an hour or less.
crash: $(DEV)
	$(RUN) -m tests.batch.crash $(CRASH)

# The AWS CLI v1, for the tests that start it; they are skipped without.
awscli: $(AWSCLI)

# moto's own tests at its server, stock and accelerated: half an hour. MOTO="--only sqs" for some.
moto: $(MOTO_SUITE)
	$(VENVS)/moto/bin/python -m tests.moto_suite $(MOTO)

lint: $(DEV)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: $(DEV)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

types: PYRIGHT := $(VENVS)/types/bin/pyright
types: $(DEV) $(TYPES)
	$(RUN) -m mypy boto_accel
	$(RUN) -m mypy tests/typing/api.py
	$(RUN) -m mypy --python-executable $(VENVS)/types/bin/python --follow-imports silent tests/typing/stubs.py
	$(PYRIGHT) --pythonpath $(RUN)
	$(PYRIGHT) --pythonpath $(VENVS)/types/bin/python tests/typing/stubs.py
	$(RUN) tools/public_types.py $(PYRIGHT)

build: $(DEV)
	rm -rf build dist
	$(RUN) -m build
	$(RUN) -m twine check --strict dist/*
	$(RUN) tools/wheel_contents.py dist

# -I: neither this folder nor the user's own packages are on the path, only the wheel.
smoke: build
	$(PYTHON) tools/environment.py $(VENVS)/smoke --fresh -- dist/*.whl
	$(VENVS)/smoke/bin/python -I -W error tools/smoke.py

# Into build/site. Warnings are errors; what the pages say is tested by tests/docs/.
docs: $(DEV)
	$(VENV)/bin/zensical build --strict --clean

bench: $(DEV)
	$(RUN) -m boto_accel.cli bench $(BENCH)

test-matrix:
	$(PYTHON) tools/matrix.py $(MATRIX)

clean:
	rm -rf $(VENV) $(VENVS) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

# The demo needs less than the tests do, and what installs in less time is sooner tried.
$(DEMO): $(SOURCES)
	$(PYTHON) tools/environment.py $(VENV) -- -e ".[demo]"
	@touch $@

$(DEV): $(SOURCES)
	$(PYTHON) tools/environment.py $(VENV) -- -e ".[dev]"
	@touch $@ $(DEMO)

$(TYPES): $(SOURCES)
	$(PYTHON) tools/environment.py $(VENVS)/types -- -e ".[types]"
	@touch $@

$(AWSCLI): $(SOURCES)
	$(PYTHON) tools/environment.py $(VENVS)/awscli -- -e ".[awscli]"
	@touch $@

# With what moto's own tests import besides.
$(MOTO_SUITE): $(SOURCES)
	$(PYTHON) tools/environment.py $(VENVS)/moto -- -e ".[test]" freezegun pycognito pyotp pytest-timeout
	@touch $@
