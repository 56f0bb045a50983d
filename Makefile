# The commands that a person types. Everything else: `.venv/bin/python -m lab --help`.
.DEFAULT_GOAL := help
# What `make preview` compares with: a branch, a tag or a commit.
BASE ?= main
.PHONY: help install policy lab lab-down preview preview-down bench check check-policy unit test lock

VENV := .venv
PYTHON := $(VENV)/bin/python
# Locked requirements of the program, and of the lab and the tests besides.
LOCKS := requirements.txt requirements-dev.txt
# The policy pack's own, since pulumi_policy wants older libraries than the program.
POLICY := policy/.venv

help: ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

lab: install ## the three tiers on a one-machine KubeVirt lab, with traffic through them
	@$(PYTHON) -m lab up

lab-down: install ## destroy the stacks, stop the lab, leave nothing
	@$(PYTHON) -m lab down

preview: install ## what this change does to each stack, as Markdown, without a cluster: make preview BASE=main
	@# Something changes: 3. Only to make would that be an error.
	@$(PYTHON) -m preview show --base $(BASE) || [ $$? -eq 3 ]

preview-down: install ## end the control plane that previews leave running
	@$(PYTHON) -m preview stop

bench: install ## what measuring costs, what is delivered, the frozen second: side by side, on the lab (30 min)
	@$(PYTHON) -m bench

policy: install $(POLICY)/installed ## the policy pack, ready for `pulumi preview --policy-pack policy`

test: check check-policy ## lint, types and every test, on a lab of its own
	$(PYTHON) -m pytest

check: install ## lint and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

check-policy: policy ## types and tests of the policy pack, in its own environment
	cd policy && ../$(VENV)/bin/mypy --config-file ../pyproject.toml --python-executable .venv/bin/python .
	cd policy && .venv/bin/python -m pytest

unit: install ## the tests that need neither root, image, lab nor network
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

lock: ## lock every requirements*.in and Go's own again, with hashes and no index address
	python3 -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet pip-tools
	for name in requirements requirements-dev policy/requirements lab/toolchain/go-requirements; do \
	  $(VENV)-lock/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
	    --no-emit-index-url --no-emit-find-links -o $$name.txt $$name.in; \
	done
	rm -rf $(VENV)-lock
