PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: check test fuzz test-slow test-slurm demo notebook format clean

# The environment is made once, and again when the requirements change.
$(VENV)/.ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

check: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

test: check

# One process: the last test counts the cases of all.
fuzz: $(VENV)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m fuzz tests/fuzz

test-slow: $(VENV)/.ready
	OMP_NUM_THREADS=1 XMODAL_RESULTS=benchmarks/results $(BIN)/python -m pytest -m slow

# A cluster of one node on this machine; as root, SLURM is installed where it is not (Debian).
test-slurm: $(VENV)/.ready
	command -v sbatch >/dev/null || apt-get install -y --no-install-recommends slurm-wlm munge
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slurm tests/slurm

demo: $(VENV)/.ready
	$(BIN)/xmodal demo

# Runs docs/notebooks/s1.ipynb as it stands; XMODAL_DEMO and S1_RESULTS say on what.
notebook: $(VENV)/.ready
	$(BIN)/jupyter execute --timeout=600 docs/notebooks/s1.ipynb

format: $(VENV)/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
