# Each target does its own set-up: it needs python3 (3.10-3.12), make, and a network that reaches the package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
# Tests over real telephone calls wait for audio most of the time, so more of them run than there are cores.
JOBS ?= 3
# Byte code is made when it is first needed, which is sooner than for every file at once.
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt

.PHONY: demo run test check bench builtin-model extras clean

$(RUN): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3,10) <= sys.version_info[:2] <= (3,12))' || \
		{ echo "Python 3.10, 3.11 or 3.12 is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once, about a minute)"
	@$(PIP) -e .
	@touch $@

$(DEV): $(RUN)
	@$(PIP) -e '.[dev]'
	@touch $@

demo: $(RUN)
	$(BIN)/hotline demo $(if $(KEEP),--keep)

run: $(RUN)
	$(BIN)/hotline serve

test: $(DEV)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

# FunASR's engines and the builder of the built-in recogniser: PyTorch, several GB. Without them their tests skip.
extras: $(DEV)
	@$(PIP) -e '.[funasr,funasr-onnx,builder]'

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python -m bench.latency

# Over an hour: speaks the training text, trains, writes asr/builtin/model. The graph alone: ARGS=--graph-only
builtin-model: $(DEV)
	@$(PIP) -e '.[builder]'
	$(BIN)/python -m hotline.builtin_training $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
