# Everyday commands. For the rest, see `.venv/bin/python -m lab --help`.
.DEFAULT_GOAL := help
# The branch, tag or commit that `make preview` compares with.
BASE ?= main
# `make lab GUESTS=machines`: QEMU machines on a real node. GUESTS=simulated: machines that never boot, by the thousand.
# Default: containers, or what the running lab has.
GUESTS ?=
# Which faults `make faults` injects; default: all. How long `make soak` takes.
FAULTS ?=
SOAK ?= 30m
# `make bench QUICK=1`: the same figures with fewer repeats.
QUICK ?= 0
.PHONY: help install policy lab lab-down images preview preview-down bench faults soak audit check check-policy format unit test test-machines lock

VENV := .venv
PYTHON := $(VENV)/bin/python
# Locked requirements of the program, and those of the lab and the tests.
LOCKS := requirements.txt requirements-dev.txt
# The policy pack has its own environment: pulumi_policy needs older libraries than the program.
POLICY := policy/.venv

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

lab: install ## start the one-machine lab and deploy the three tiers, with traffic through them
	@MULTI_TIER_LAB_GUESTS=$(GUESTS) $(PYTHON) -m lab up

lab-down: install ## destroy the stacks and remove the lab
	@$(PYTHON) -m lab down

images: install ## build bootable container disks as OCI archives, and show how to push them: make images REGISTRY=...
	@$(PYTHON) -m lab images $(REGISTRY:%=--registry %)

preview: install ## report what a change does to each stack, without a cluster: make preview BASE=main
	@# Exit code 3 means that something changes, which is no error.
	@$(PYTHON) -m preview show --base $(BASE) || [ $$? -eq 3 ]

preview-down: install ## stop the control plane that previews keep running
	@$(PYTHON) -m preview stop

bench: install ## measure the project beside its peers, on labs of its own; in 10 minutes: make bench QUICK=1
	@QUICK=$(QUICK) $(PYTHON) -m bench

faults: install ## break a stack in many ways under load, and show what a client saw: make faults FAULTS="web-killed ..."
	@$(PYTHON) -m faults $(FAULTS)

soak: install ## load a stack for half an hour, with faults; what grows is a failure: make soak SOAK=60s
	@$(PYTHON) -m faults.soak $(SOAK)

audit: install ## look up known vulnerabilities of the locked packages and of the programs built for the lab
	@$(PYTHON) -m lab audit

policy: install $(POLICY)/installed ## install the policy pack, for `pulumi preview --policy-pack policy`

test: check check-policy ## run linters, type checks and all tests, on labs of their own
	@# Two processes, each with its own lab: most tests wait. The longest files come first.
	$(PYTHON) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-machines: install ## run the tests of the real node: QEMU machines under kubelet and KubeVirt; fewer: make test-machines MACHINES="not reboots"
	@# Two processes, as above: one has the stack, the other the tests of the node and its disks.
	$(PYTHON) -m pytest tests/machines -m "$(MACHINES)" --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: install ## run linters and type checks
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: install ## format the code and fix what the linter can
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

check-policy: policy ## type-check and test the policy pack, in its own environment
	cd policy && ../$(VENV)/bin/mypy --config-file ../pyproject.toml --python-executable .venv/bin/python .
	cd policy && .venv/bin/python -m pytest

unit: install ## run the unit tests: no root, no image, no lab, no network
	$(PYTHON) -m pytest tests/unit --numprocesses logical

install: $(VENV)/installed

$(VENV)/installed: $(LOCKS)
	@command -v python3 >/dev/null || { echo "python3 is missing: apt-get install python3 python3-venv"; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -q && apt-get install -q -y python3-venv; }
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@echo "Installing the Python packages of $(LOCKS)"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes $(LOCKS:%=-r %)
	@touch $@

$(POLICY)/installed: policy/requirements.txt | install
	@test -x $(POLICY)/bin/python || python3 -m venv $(POLICY)
	@echo "Installing the Python packages of $<"
	@$(POLICY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

lock: ## lock all Python dependencies again, with hashes and without an index address
	python3 -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet pip-tools
	for name in requirements requirements-dev policy/requirements lab/toolchain/go-requirements lab/toolchain/audit-requirements; do \
	  $(VENV)-lock/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
	    --no-emit-index-url --no-emit-find-links -o $$name.txt $$name.in; \
	done
	rm -rf $(VENV)-lock
