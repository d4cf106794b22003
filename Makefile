# Everything a person or CI does here, by name. `make` alone lists it.
# Override on the command line, e.g.  make PYTHON=python3.13 VENV=/tmp/venv JOBS=4 test

PYTHON ?=
VENV ?= .venv
# Parallel test workers: a number, or auto for one per core.
JOBS ?= auto
# Further arguments for pytest, e.g. make test TESTS=tests/unit PYTEST_ARGS='-k claim -x'
TESTS ?= tests
PYTEST_ARGS ?=
DEMO_OUT ?= out/demo
# The load test's shape and further arguments, e.g. make load LOAD_ARGS='steps --machines 100'
LOAD_ARGS ?= soak --duration 60
# A swarm's length in minutes, and further arguments, e.g. make swarm SWARM_ARGS='--seeds 1..10000'
SWARM_MINUTES ?= 60
SWARM_ARGS ?=
LOCK_ARGS ?=

SETUP = @PYTHON="$(PYTHON)" VENV="$(VENV)" sh ci/setup
RUN = @VENV="$(VENV)"

.PHONY: help demo test swarm lint types contracts docs bench mutants load lock clean

help:
	@echo "make demo       run the claim-storm scenario on real sockets; report in $(DEMO_OUT)"
	@echo "make test       all tests"
	@echo "make swarm      an hour of random worlds (SWARM_MINUTES=60); what fails is left in out/swarm"
	@echo "make lint       ruff: rules and format"
	@echo "make types      mypy, strict"
	@echo "make contracts  import-linter: which package may import which"
	@echo "make docs       docs/ as a site, out/site/index.html; every link and anchor looked at"
	@echo "make bench      one scenario on both clocks; speed of virtual time; the API and the fleet beside their ceilings; claims; churn; the model; a lab's start"
	@echo "make mutants    how many seeds of the swarm find each planted defect (half an hour)"
	@echo "make load       a minute of Locust against a lab of its own"
	@echo "make lock       write requirements.lock anew (LOCK_ARGS=--upgrade for newer versions)"
	@echo "make clean      remove $(VENV), out/ and every cache"
	@echo "Needed: python3 >= 3.11 with venv, make, git. The rest goes into $(VENV)."

demo:
	$(SETUP)
	@echo "Running the scenario claim-storm on real sockets"
	@rm -f "$(DEMO_OUT)/report.html"; \
	"$(VENV)/bin/beskar7" run claim-storm --report "$(DEMO_OUT)"; status=$$?; \
	if [ -f "$(DEMO_OUT)/report.html" ]; then echo "Report: $(DEMO_OUT)/report.html"; fi; \
	exit $$status

test:
	$(SETUP) test load docs
	@echo "Running the tests in $(TESTS)"
	@"$(VENV)/bin/python" -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS) $(TESTS)

swarm:
	$(SETUP)
	$(RUN) sh ci/swarm --explore --minutes $(SWARM_MINUTES) --report out/swarm $(SWARM_ARGS)

lint:
	$(SETUP) dev
	$(RUN) sh ci/lint

types:
	$(SETUP) dev test load docs
	$(RUN) sh ci/types

contracts:
	$(SETUP) dev
	$(RUN) sh ci/contracts

docs:
	$(SETUP) docs
	$(RUN) sh ci/docs

bench:
	$(SETUP)
	@"$(VENV)/bin/python" ci/bench.py
	@"$(VENV)/bin/python" benchmarks/virtual_time.py
	@"$(VENV)/bin/python" benchmarks/kube_api.py
	@"$(VENV)/bin/python" benchmarks/fleet.py
	@"$(VENV)/bin/python" benchmarks/claims.py
	@"$(VENV)/bin/python" benchmarks/dead_bmcs.py
	@"$(VENV)/bin/python" benchmarks/churn.py
	@"$(VENV)/bin/python" benchmarks/models.py
	@"$(VENV)/bin/python" benchmarks/lab_up.py

mutants:
	$(SETUP)
	@"$(VENV)/bin/python" ci/mutants.py --starts 1,501,1001 --write

load:
	$(SETUP) load
	@"$(VENV)/bin/beskar7" load $(LOAD_ARGS)

lock:
	$(SETUP) dev
	$(RUN) sh ci/lock $(LOCK_ARGS)

# Only a directory that is a virtual environment is removed as one.
clean:
	@if [ -f "$(VENV)/pyvenv.cfg" ]; then rm -rf "$(VENV)"; fi
	rm -rf out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -type d -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
