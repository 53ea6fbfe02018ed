# One command each, from a fresh clone: `make demo` shows what this is, `make test` checks all of it.
# Needs Rust (cargo), Python 3.11 or newer with venv, and make; the rest goes into .venv and target/.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# Another interpreter: make PYTHON=/path/to/python3.13 demo
PYTHON ?=
# Seconds for each fuzz target: make fuzz TIME=600
TIME ?= 60
# The same for the fuzzing in make test-deep.
TEST_FUZZ_TIME ?= 30
# Generated cases of each oracle in make test-deep.
DEEP_CASES ?= 4000
# Recordings that are forged there, each in several ways.
DEEP_FORGED ?= 400
# Only the models with this in their names: make loom MODEL=busy
MODEL ?=
# A part of the mutants: make mutants SHARD=0/8
SHARD ?=

VENV := .venv
BIN := $(abspath $(VENV))/bin
export VIRTUAL_ENV := $(abspath $(VENV))
export PYO3_PYTHON := $(BIN)/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport CONDA_PREFIX
unexport PYTHONHOME
unexport PYTHONPATH

RUST_SOURCES := Cargo.toml Cargo.lock $(shell find src python/core -type f) $(wildcard guests/*/*.bin)
TOOLS := $(VENV)/.tools-installed
MODULE := $(VENV)/.module-built

# A virtual environment whose interpreter is gone (a moved clone, a removed Python) is made anew.
ifeq ($(shell test -x $(VENV)/bin/python && $(VENV)/bin/python -c 'import pip' 2>/dev/null && echo sound),)
$(shell rm -f $(TOOLS) $(MODULE))
endif

.PHONY: help demo test test-deep build bench fuzz loom shuttle mutants clean check-cargo format
.PHONY: test-style test-rust test-loom test-shuttle test-guests test-types test-python test-notebooks test-processor
.PHONY: test-rust-deep test-loom-deep test-shuttle-deep test-python-deep test-fuzz

help:
	@echo 'make demo          set up, build, record and replay a session: see what rreplay does'
	@echo 'make test          set up, build, run every test (Rust, Python, notebooks, style). Some 13 minutes on two cores in a'
	@echo '                   fresh clone, 4 once it is built: run it before each change is handed on'
	@echo 'make test-deep     the same nets thrown further, some 15 minutes: more interleavings and schedules, each net on each'
	@echo '                   seeded fault, races searched anew, half a minute for each fuzz target. Continuous integration'
	@echo '                   runs it after make test'
	@echo 'make build         set up and build the Python module into .venv'
	@echo 'make format        rewrite Rust and Python sources in the house style'
	@echo 'make bench         instructions a second, against other 6502 cores'
	@echo 'make fuzz TIME=60  fuzz each target for so many seconds'
	@echo 'make loom          model-check the threads: every interleaving with a few preemptions.'
	@echo '                   More of them: make loom LOOM_MAX_PREEMPTIONS=4, one model: make loom MODEL=busy'
	@echo 'make shuttle       whole machines under thousands of random schedules of their threads.'
	@echo '                   More, or others: make shuttle SHUTTLE_SCHEDULES=20 SHUTTLE_SEED=7 (twenty times as many)'
	@echo '                   One that failed: make shuttle MODEL=sleeping SHUTTLE_REPLAY=file with the schedule'
	@echo 'make mutants       what the tests do not notice when the code is changed: hours. A part: make mutants SHARD=0/8'
	@echo 'make clean         remove everything that make made'

demo: build
	@$(BIN)/rreplay demo

build: $(MODULE)

check-cargo:
	@command -v cargo >/dev/null 2>&1 || { \
	  echo 'rreplay needs Rust, and cargo is not on the PATH.' >&2; \
	  echo 'Install it from https://rustup.rs (or your system'"'"'s rustup or cargo package), open a new shell, run make again.' >&2; \
	  exit 1; }
	@command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 || { \
	  echo 'Rust needs a C linker, and cc is not on the PATH.' >&2; \
	  echo 'Install one (Debian, Ubuntu: apt install gcc libc6-dev; macOS: xcode-select --install), run make again.' >&2; \
	  exit 1; }

# The first interpreter that is new enough, and able to make a virtual environment.
define FIND_PYTHON
for candidate in $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; \
done; \
if test -z "$${python:-}"; then \
  found=$$($(or $(PYTHON),python3) --version 2>&1) && found="only $$found was found" || found='$(or $(PYTHON),python3) did not start'; \
  echo "rreplay needs Python 3.11 or newer, and $$found." >&2; \
  echo 'Install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python),' >&2; \
  echo 'or name one: make PYTHON=/path/to/python3.13 demo' >&2; \
  exit 1; \
fi; \
if ! $$python -c 'import venv, ensurepip' >/dev/null 2>&1; then \
  echo "$$($$python --version) is here, but cannot make a virtual environment: its venv part is missing." >&2; \
  echo 'Install it (Debian, Ubuntu: apt install python3-venv), run make again.' >&2; \
  exit 1; \
fi
endef

$(TOOLS): pyproject.toml | check-cargo
	@$(FIND_PYTHON); \
	echo "Setting up $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --group tools
	@touch $@

# Optimised: the demo shows real speed, and the tests record and replay millions of instructions.
$(MODULE): $(TOOLS) $(RUST_SOURCES) | check-cargo
	@echo 'Building the Python module'
	@$(BIN)/maturin develop --release --locked --quiet
	@touch $@

format: $(TOOLS)
	cargo fmt --all
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# In an order in which the likeliest and quickest failures come first.
test: test-style test-types test-python test-notebooks test-guests test-rust test-processor test-loom test-shuttle
	@echo 'All tests passed.'

# What only goes deeper: nothing is looked for here that make test does not look for. RREPLAY_DEEP tells the tests; each has
# a floor for either depth.
test-deep: test-rust-deep test-loom-deep test-shuttle-deep test-python-deep test-fuzz
	@echo 'All deep tests passed.'

test-rust-deep test-loom-deep test-shuttle-deep test-python-deep loom shuttle: export RREPLAY_DEEP := 1

test-style: $(TOOLS)
	cargo fmt --all --check
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet

test-types: build
	$(BIN)/mypy
	MYPYPATH=python $(BIN)/python -m mypy.stubtest rreplay._core --mypy-config-file pyproject.toml --allowlist tests/python/stubtest.txt

test-python: build
	$(BIN)/python -m pytest --numprocesses=2 --quiet --ignore=$(PROCESSOR_TEST)

# A processor that is no 6502, in Python: the tests import a module that has it. Its engine is that of the Rust tests, which is
# built but once if both ask for the same packages.
PROCESSOR_TEST := tests/python/test_third_processor.py
RUST_TESTS := --package rreplay --package rreplay-kit --package rreplay-python --features rreplay-python/testing

test-processor: build
	cargo build --quiet --lib --tests $(RUST_TESTS)
	$(BIN)/python -m pytest --quiet $(PROCESSOR_TEST)

test-python-deep: build
	$(BIN)/python -m pytest --quiet --timeout=0 -m deep

# Notebooks are kept as text, and executed as notebooks.
NOTEBOOKS := $(patsubst notebooks/%.py,target/notebooks/%.ipynb,$(wildcard notebooks/*.py))

target/notebooks/%.ipynb: notebooks/%.py $(TOOLS)
	@mkdir -p $(@D)
	@$(BIN)/jupytext --quiet --to ipynb --set-kernel python3 --output $@ $<

test-notebooks: build $(NOTEBOOKS)
	$(BIN)/python -m pytest --quiet --override-ini=timeout=0 --nbmake --nbmake-timeout=300 $(NOTEBOOKS)

# The built guest images are in the repository: with an assembler here, they must be what the sources give.
test-guests:
	@if command -v ca65 >/dev/null 2>&1; then $(MAKE) --silent --no-print-directory -C guests check; \
	else echo 'ca65 is not installed: the guest images are taken as they are'; fi

test-rust: $(TOOLS)
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test $(RUST_TESTS)

# Also the engine as users build it, without what tests need: dead code shows there. And its documentation, whose links hold.
test-rust-deep: $(TOOLS)
	cargo clippy --package rreplay-python -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps --package rreplay
	cargo test --quiet $(RUST_TESTS) --test seeded_faults
	PROPTEST_CASES=$(DEEP_CASES) cargo test --quiet $(RUST_TESTS) --test oracle -- --skip forged
	PROPTEST_CASES=$(DEEP_FORGED) cargo test --quiet $(RUST_TESTS) --test oracle forged

# Both print what they explored: a model that meets nothing any more is told by its numbers, and fails by them.
loom test-loom test-loom-deep: check-cargo
	cargo test --quiet --package rreplay-models --features loom $(MODEL) -- --nocapture

shuttle test-shuttle test-shuttle-deep: check-cargo
	cargo test --quiet --package rreplay-models --features shuttle $(MODEL) -- --nocapture

# The programs of tests are too many to link for each mutant: tests/mutants has the quick ones in one program.
mutants: check-cargo
	@command -v cargo-mutants >/dev/null 2>&1 || test -x target/tools/bin/cargo-mutants \
	  || cargo install --quiet --locked --root target/tools 'cargo-mutants@^27.1'
	export PATH="$$PATH:$(CURDIR)/target/tools/bin"; \
	cargo mutants --profile mutants --file 'src/replay/**' --file 'src/log/**' --file 'src/engine/**' \
	  --cargo-arg=--features=mutants --cargo-arg=--test=mutants --timeout 60 --build-timeout 600 \
	  --output target $(if $(SHARD),--shard $(SHARD) --sharding round-robin)

bench: check-cargo
	cargo bench

# Half a minute for each target, on the stable toolchain. libFuzzer is C++: without a C++ compiler only tests/oracle/corpus.rs
# runs the targets.
test-fuzz: check-cargo
	@if ! command -v c++ >/dev/null 2>&1; then echo 'c++ is not installed: the fuzz targets are not fuzzed'; exit 0; fi; \
	rm -rf target/fuzz-test && mkdir -p target/fuzz-test; \
	targets=$$(fuzz/run) || exit 1; \
	for target in $$targets; do \
	  log=target/fuzz-test/$$target.log; mkdir target/fuzz-test/$$target; \
	  fuzz/run $$target -verbosity=0 -print_final_stats=1 -max_total_time=$(TEST_FUZZ_TIME) \
	    target/fuzz-test/$$target fuzz/corpus/$$target >$$log 2>&1 || { cat $$log; exit 1; }; \
	  echo "fuzz target $$target: $$(sed -n 's/^stat::number_of_executed_units: *//p' $$log) executions"; \
	done

# With the address sanitizer where cargo-fuzz can be had and works, and without it elsewhere.
fuzz: check-cargo
	@command -v cargo-fuzz >/dev/null 2>&1 || test -x target/tools/bin/cargo-fuzz \
	  || cargo install --quiet --locked --root target/tools 'cargo-fuzz@^0.13' || true
	@export PATH="$$PATH:$(CURDIR)/target/tools/bin"; \
	how=--sanitize; fuzz/run $$how >/dev/null || { how=; echo 'cargo-fuzz is not to be had: without the address sanitizer'; }; \
	targets=$$(fuzz/run $$how) || exit 1; \
	for target in $$targets; do \
	  echo "Fuzzing $$target for $(TIME) s"; \
	  fuzz/run $$how $$target -max_total_time=$(TIME) || exit 1; \
	done

clean:
	rm -rf $(VENV) target .mypy_cache .ruff_cache .pytest_cache
	find python tests notebooks \( -name __pycache__ -o -name '_core*.so' \) -prune -exec rm -rf {} +
