# make run         install into .venv, then run the workflow on config.yaml: the pocket run
# make test        install, then run what a contributor needs: linters, unit tests, one tiny run of every stage
# make test-all    the same, then the slow tests: whole runs, kills, full disks, SLURM
# make check       only the linters
# make install     only install
# make lock        resolve requirements.in again and write requirements.txt
# make docs        generate docs/configuration.md and docs/reasons.md
# make review      install Label Studio into .venv-review, for expert reviews (docs/verification.md)

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test test-all check install lock docs review

run: install
	$(VENV)/bin/snakemake --cores all

test: install check
	$(VENV)/bin/pytest -m "not slow" --numprocesses logical --dist loadfile

# Each whole run uses all cores, so they run one after the other.
test-all: test
	$(VENV)/bin/pytest -m slow

check: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/snakefmt --check Snakefile rules
	$(VENV)/bin/snakemake --lint

install: $(STAMP)

$(STAMP): requirements.txt requirements-no-deps.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed. Set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --upgrade pip
	$(VENV)/bin/pip install -r requirements.txt
	$(VENV)/bin/pip install --no-deps -r requirements-no-deps.txt
	$(VENV)/bin/pip install --no-deps --editable .
	touch $(STAMP)

# After a change of requirements.in: resolve it in a separate environment, then update envs/*.yaml.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --upgrade pip
	.venv-lock/bin/pip install -r requirements.in
	{ echo "# Every package that the project runs with, pinned: written by \`make lock\` from requirements.in."; \
	  .venv-lock/bin/pip freeze | sed -E 's/^(torch==[0-9.]+)\+.*/\1/'; } > requirements.txt
	rm -rf .venv-lock

docs: install
	$(VENV)/bin/python -m workflow_scripts.config.documentation > docs/configuration.md
	$(VENV)/bin/python -m workflow_scripts.common.reasons > docs/reasons.md

# A separate environment: Label Studio pins other versions than the workflow.
review: requirements-review.txt
	$(PYTHON) -m venv .venv-review
	.venv-review/bin/pip install --upgrade pip
	.venv-review/bin/pip install --no-deps -r requirements-review.txt
