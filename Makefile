# tenantmetrics: `make demo` shows the main job, `make test` passes the tests.
# Both need Python 3.11+ and make, nothing else; everything is installed into .venv by locked hash.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# Many container images set it. Each of the tests' hundreds of processes would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links --no-annotate --quiet --upgrade

.DEFAULT_GOAL := help
.PHONY: help demo test test-long bench lint generate format lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "tenantmetrics needs Python 3.11 or later, and $(PYTHON) is older or missing: install one, or name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# One stamp a lock file: a level is installed again only when its lock or the project's metadata changes.
$(VENV)/.installed-%: requirements/%.txt pyproject.toml | $(BIN)/python
	@echo "installing $< into $(VENV) (about a minute, once)"
	@$(PIP_INSTALL) --require-hashes -r $<
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/.installed-all  ## Embedded PostgreSQL, 24 tenants, 15 seconds of load, the bill per tenant
	@$(BIN)/tenantmetrics demo

lint: $(VENV)/.installed-dev  ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Half as many again as cores, since most tests wait for a process, a server or a browser part of their
# time; at most 8, since each takes up to a gigabyte.
WORKERS = $(shell $(BIN)/python -c 'import os; n = os.cpu_count() or 1; print(min(8, n + (n + 1) // 2))')

# Each worker has a part of the tests that lie together, so that few start the same servers. Types are
# checked beside the tests and told after them: the first time that takes one core half a minute.
test: $(VENV)/.installed-dev  ## Linters, types, and every test but the long loops
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@told=$$(mktemp); $(BIN)/mypy >"$$told" 2>&1 & mypy=$$!; \
	trap 'kill $$mypy 2>/dev/null; rm -f "$$told"' EXIT; trap 'exit 130' INT TERM; \
	$(BIN)/python -m pytest -m "not long" -n $(WORKERS) --dist worksteal $(PYTEST_ARGS); tests=$$?; \
	wait $$mypy; types=$$?; cat "$$told"; \
	[ $$types -eq 0 ] || echo "make test: types are wrong, see above" >&2; \
	[ $$tests -eq 0 ] || echo "make test: tests fail, see above" >&2; \
	exit $$((tests || types))

# `make test` looks at the same examples each time, so that its verdict is the same; here they are fresh.
SEED := $(or $(SEED),$(shell date +%s))
FRESH := --hypothesis-profile=fresh --hypothesis-seed=$(SEED)

test-long: $(VENV)/.installed-dev  ## Fresh random examples, long loops, aiobotocore's clients, and Spark
	@echo "random examples are made with seed $(SEED); to repeat them: make test-long SEED=$(SEED)"
	@$(BIN)/python -m pytest -m "hypothesis and not long" -n auto $(FRESH) $(PYTEST_ARGS)
	@$(BIN)/python -m pytest -m long -n 2 --dist worksteal $(FRESH) $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory VENV=.venv-aio .test-aio
	@$(MAKE) --no-print-directory VENV=.venv-spark .test-spark
	@$(MAKE) --no-print-directory .test-focus

# In an environment of their own: aiobotocore pins an older botocore than ours.
.PHONY: .test-aio
.test-aio: $(VENV)/.installed-aio
	@$(BIN)/python -m pytest --noconftest tests/aio

# In an environment of their own: pyspark is 400 MB, and needs Java 17.
.PHONY: .test-spark
.test-spark: $(VENV)/.installed-spark
	@$(BIN)/python -m pytest --noconftest tests/spark

# In an environment of their own: FOCUS's validator needs Python 3.12, whatever runs us, and an older sqlglot.
NEWER_PYTHON = $(shell for python in $(PYTHON) python3.12 python3.13 python3.14 $(HOME)/.pyenv/versions/3.1[2-9]*/bin/python; \
	do "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$python" && break; done)
.PHONY: .test-focus
.test-focus: $(VENV)/.installed-dev
	@if [ -z "$(NEWER_PYTHON)" ]; then echo "passed over: FOCUS's validator needs Python 3.12 or later; install one"; else \
		{ [ -f .venv-focus/.installed ] || { $(NEWER_PYTHON) -m venv .venv-focus && .venv-focus/bin/python -m pip install --quiet \
			--disable-pip-version-check --require-hashes -r requirements/focus.txt && touch .venv-focus/.installed; }; } && \
		FOCUS_VALIDATOR_PYTHON=$(CURDIR)/.venv-focus/bin/python $(BIN)/python -m pytest tests/focus; fi

bench:  ## Every benchmark, beside its peers
	@$(MAKE) --no-print-directory VENV=.venv-bench .bench

# In an environment of their own: the peers bring pytest plugins and import hooks.
.PHONY: .bench
.bench: $(VENV)/.installed-bench
	@$(BIN)/python -m benchmarks $(BENCH)

generate: $(VENV)/.installed-dev  ## Write dashboards/ and alarms/ anew from the catalogue
	@$(BIN)/python -m tenantmetrics.console

format: $(VENV)/.installed-dev  ## Let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(VENV)/.installed-dev  ## Resolve requirements/*.txt anew from pyproject.toml
	@$(COMPILE) pyproject.toml --extra all --group build -o requirements/all.txt
	@$(COMPILE) pyproject.toml -c requirements/all.txt -o requirements/core.txt
	@$(COMPILE) pyproject.toml --extra all --group dev -c requirements/all.txt -o requirements/dev.txt
	@$(COMPILE) pyproject.toml --extra all --group bench -c requirements/dev.txt --prerelease=if-necessary-or-explicit -o requirements/bench.txt
	@$(COMPILE) requirements/aio.in pyproject.toml -o requirements/aio.txt
	@$(subst 3.11,3.12,$(COMPILE)) requirements/focus.in -o requirements/focus.txt
	@$(COMPILE) requirements/spark.in pyproject.toml --extra report --extra cli -c requirements/all.txt -o requirements/spark.txt
	@echo 'awscli>=1.36' | $(COMPILE) - -o requirements/awscli.txt  # pins a botocore of its own

clean:  ## Remove the environment and caches
	@rm -rf .venv .venv-aio .venv-spark .venv-focus .venv-bench build dist .mypy_cache .pytest_cache .ruff_cache
