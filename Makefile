# make run         install into .venv, then run the workflow on config.yaml: the pocket run
# make test        install, then run what a contributor needs: linters, unit tests, one tiny run of every stage
# make test-all    the same, then the slow tests: whole runs, kills, full disks, SLURM
# make check       only the linters
# make install     only install, with uv if it is on PATH, otherwise with pip
# make lock        resolve requirements.in and write requirements.txt, with hashes; renew those of requirements-review.txt
# make docs        generate docs/configuration.md and docs/reasons.md
# make review      install Label Studio into .venv-review, for expert reviews (docs/verification.md)

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
UV := $(shell command -v uv)
PIP := $(if $(UV),VIRTUAL_ENV=$(VENV) uv pip,$(VENV)/bin/pip)

.PHONY: run test test-all check install lock docs review

run: install
	$(VENV)/bin/snakemake --cores all

# The longest file, tests/workflow/test_tiny.py, has to start early: files run in this order.
test: install check
	$(VENV)/bin/pytest -m "not slow" tests/workflow tests/unit --numprocesses logical --dist loadfile --no-loadscope-reorder

# The pocket run uses every core: next to other tests it takes several times as long.
test-all: test
	$(VENV)/bin/pytest -m slow tests/workflow/test_pocket.py
	$(VENV)/bin/pytest -m slow --ignore tests/workflow/test_pocket.py --numprocesses 2 --dist loadfile

check: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/snakefmt --check Snakefile rules
	$(VENV)/bin/snakemake --lint

install: $(STAMP)

# All packages are in the lock, so dependencies are not resolved again. torch brings the libraries of its build.
$(STAMP): requirements.txt requirements-torch.txt requirements-pip.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed. Set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(if $(UV),,$(VENV)/bin/pip install --require-hashes -r requirements-pip.txt)
	$(PIP) install --no-deps --require-hashes -r requirements.txt
	$(PIP) install -r requirements-torch.txt
	$(PIP) install --no-deps --editable .
	touch $(STAMP)

# After a change of requirements.in; then update envs/*.yaml. Pins in requirements.txt stay where they still fit.
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install uv==0.13.9
	.venv-lock/bin/uv pip compile requirements.in --output-file requirements.txt --custom-compile-command "make lock" \
		--universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-package torch
	cp requirements-review.txt .venv-lock/review.in
	.venv-lock/bin/uv pip compile .venv-lock/review.in --output-file requirements-review.txt --no-deps --no-annotate \
		--universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
	rm -rf .venv-lock

docs: install
	$(VENV)/bin/python -m workflow_scripts.config.documentation > docs/configuration.md
	$(VENV)/bin/python -m workflow_scripts.common.reasons > docs/reasons.md

# A separate environment: Label Studio pins other versions than the workflow.
review: requirements-review.txt requirements-pip.txt
	$(PYTHON) -m venv .venv-review
	.venv-review/bin/pip install --require-hashes -r requirements-pip.txt
	.venv-review/bin/pip install --no-deps --require-hashes -r requirements-review.txt
