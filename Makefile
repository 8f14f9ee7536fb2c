# Each target does its own set-up: it needs python3 (3.10-3.12), make, and a network that reaches the package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
JOBS ?= 3
# Byte code is made when it is first needed, which is sooner than for every file at once. It must be kept though,
# whatever the environment says: without it every process compiles for three seconds all that it imports.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# What `make pjsua2` built stays in use: the constraint on the published build would put that one back each time.
USE_BUILT = $(PIP) install --no-compile --no-deps --no-index --find-links dist --force-reinstall pjsua2-python

comma := ,
# The project with the extras in brackets that $(1) names.
define install
@$(PIP) install --no-compile -c constraints.txt -e '.$(1)'
@$(if $(wildcard dist/pjsua2_python-*capacity*.whl),$(USE_BUILT))
endef

.PHONY: demo run test check bench builtin-model extras pjsua2 install clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3,10) <= sys.version_info[:2] <= (3,12))' || \
		{ echo "Python 3.10, 3.11 or 3.12 is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV) (once, about a minute)"
	$(call install)
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV) (once, about a minute)"
	$(call install,[dev])
	@touch $(RUN) $@

# All that running, testing and checking need.
install: $(DEV)

demo: $(RUN)
	$(BIN)/hotline demo $(if $(KEEP),--keep)

run: $(RUN)
	$(BIN)/hotline serve

# Tests over real telephone calls and with real servers come last: they are in real time, and mostly wait. What
# failed beside others on a busy machine is told, and tried once more with nothing beside it.
REAL_TIME := tests/sip tests/peers
AGAIN = { echo "== the tests that failed are tried once more, alone"; \
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none; }

test: $(DEV)
ifdef ARGS
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)
else
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(REAL_TIME:%=--ignore=%) || $(AGAIN)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(REAL_TIME) || $(AGAIN)
endif

# FunASR's engines and the builder of the built-in recogniser: PyTorch, several GB. Without them their tests skip.
extras: $(DEV)
	$(call install,[funasr$(comma)funasr-onnx$(comma)builder])

# The capacity build of pjsua2 into dist/ and $(VENV), about two minutes; the published build's wheel beside it, for
# tests of both. Other sources: ARGS='--source upstream' or ARGS='--source pjproject.tar.gz'
pjsua2: $(RUN)
	$(BIN)/python -m sip_config.pjsua2.build $(ARGS)
	@$(PIP) download --no-deps --dest dist -c constraints.txt pjsua2-python
	@$(USE_BUILT)

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python -m bench.latency

# Over an hour: speaks the training text, trains, writes asr/builtin/model. The graph alone: ARGS=--graph-only
builtin-model: $(DEV)
	$(call install,[builder])
	$(BIN)/python -m hotline.builtin_training $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
