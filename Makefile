# make run    sets up .venv and runs the workflow on config.yaml: the pocket run
# make test   the same set-up, then all tests; make test-quick leaves out whole runs
# make review sets up Label Studio in .venv-review, for expert verification (docs/verification.md)

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: run test test-quick check install lock review

run: install
	$(VENV)/bin/snakemake --cores all

# Whole runs use all cores by themselves, so they come one after the other.
test: test-quick
	$(VENV)/bin/pytest -m slow

test-quick: install check
	$(VENV)/bin/pytest -m "not slow" --numprocesses logical --dist loadfile

check: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile rules
	$(VENV)/bin/snakemake --lint

install: $(STAMP)

$(STAMP): requirements.txt requirements-no-deps.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $$($(PYTHON) --version) was found. Set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --upgrade pip
	$(VENV)/bin/pip install --quiet -r requirements.txt
	$(VENV)/bin/pip install --quiet --no-deps -r requirements-no-deps.txt
	touch $(STAMP)

# An environment of its own: Label Studio's pins are others than the workflow's.
review: requirements-review.txt
	$(PYTHON) -m venv .venv-review
	.venv-review/bin/pip install --quiet --upgrade pip
	.venv-review/bin/pip install --quiet --no-deps -r requirements-review.txt

# After a change of requirements.in: resolve it anew in an environment of its own, then bring envs/*.yaml along.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --upgrade pip
	.venv-lock/bin/pip install --quiet -r requirements.in
	{ echo "# Everything that the project runs with, pinned: made by \`make lock\` from requirements.in."; \
	  .venv-lock/bin/pip freeze | sed -E 's/^(torch==[0-9.]+)\+.*/\1/'; } > requirements.txt
	rm -rf .venv-lock
