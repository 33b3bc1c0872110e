# One command each; every one sets up what it needs by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
EXTRAS := connectors environments excel grpc online pandas pictures postgres s3 tune xgboost  # all but deep: torch is large, and the suite never needs it

.PHONY: help demo up test test-long check format generate lock wheel bench bench-serving bench-gateway bench-data bench-training clean
help:
	@echo "make demo | up | test | test-long | check | format | generate | lock | wheel | bench | bench-serving | bench-gateway | bench-data | bench-training"

$(READY): requirements.lock pyproject.toml hatch_build.py src/aimass/web/assets/package-lock.json
	@bash tools/set-up.sh "$(PYTHON)" "$(VENV)"
	@touch $(READY)

demo: $(READY)
	@$(BIN)/aimass demo $(ARGS)

up: $(READY)
	@$(BIN)/aimass up $(ARGS)

check: $(READY)
	@bash tools/check.sh

test: $(READY)
	@bash tools/test.sh $(ARGS)

test-long: $(READY)
	@bash tools/test-long.sh $(ARGS)

bench: $(READY)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-serving: $(READY)
	@$(BIN)/python -m benchmarks.serving $(ARGS)

bench-gateway: $(READY)
	@$(BIN)/python -m benchmarks.proxy $(ARGS)

bench-data: $(READY)
	@LONG=$(LONG) $(BIN)/python -m benchmarks.data $(ARGS)

bench-training: $(READY)
	@$(BIN)/python -m benchmarks.training $(ARGS)

format: $(READY)
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

generate: $(READY)
	@$(BIN)/python tools/generate.py

lock: $(READY)
	@$(BIN)/uv pip compile pyproject.toml $(addprefix --extra ,$(EXTRAS)) --group dev --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --universal --python-version 3.11 --no-header -q -o requirements.lock

wheel: $(READY)
	@$(BIN)/python -m build --wheel --outdir dist .

clean:
	@rm -rf $(VENV) dist build .stamps src/aimass/web/static src/aimass/web/assets/node_modules
