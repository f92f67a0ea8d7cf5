# One command for each task: `make help` lists them.

VENV := .venv
BIN := $(VENV)/bin
INSTALL := sh scripts/install.sh $(VENV)
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --emit-build-options \
	--python-version 3.11 --custom-compile-command "make requirements"

.PHONY: help run test coverage lint mutants drills screenshots requirements
.DEFAULT_GOAL := help

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 22

run: $(VENV)/.runtime ## Serve on http://127.0.0.1:8000 with a small demo (HOST, PORT and DATABASE_URL override the defaults; CATALOGUE=demo adds a template catalogue)
	@exec $(BIN)/python -m scripts.run

test: $(VENV)/.development ## Run every test, on SQLite and on PostgreSQL, browser included
	@exec $(BIN)/python -m scripts.test

coverage: $(VENV)/.development ## Run every test as `make test` does, and show which code none of them reaches (slower)
	@exec $(BIN)/python -m scripts.test --coverage

lint: $(VENV)/.development ## Check style, types, migrations, deployment settings and requirements
	@exec $(BIN)/python -m scripts.lint

mutants: $(VENV)/.development ## Change the code of rules, sequence, lifecycle and API in small ways: some test must notice each
	@exec $(BIN)/python -m scripts.mutants

drills: $(VENV)/.runtime ## Break things under load, and look whether anything is lost: some ten minutes, needs PostgreSQL and PgBouncer
	@exec $(BIN)/python -m bench.drills

screenshots: $(VENV)/.development ## Renew the pictures of the staff pages in docs/images
	@exec $(BIN)/python -m scripts.screenshots

requirements: $(VENV)/.development ## Compile requirements*.in with hashes; UPGRADE=1 takes the newest versions
	@$(COMPILE) $(if $(UPGRADE),--upgrade) requirements.in -o requirements.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) requirements-dev.in -o requirements-dev.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) requirements-optional.in -o requirements-optional.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) bench/peers/requirements.in -o bench/peers/requirements.txt

# A stamp is younger than the requirements that it stands for, so nothing is installed twice.
$(VENV)/.runtime: requirements.txt
	@$(INSTALL) requirements.txt
	@touch $@

$(VENV)/.development: requirements.txt requirements-dev.txt
	@$(INSTALL) requirements.txt requirements-dev.txt
	@touch $(VENV)/.runtime $@
