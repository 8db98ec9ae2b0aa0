# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test lint types slow clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/pdekit solve poisson-four-modes --solver hybrid --out runs/demo

# One process per core with one thread each: small networks gain nothing from more threads.
test: $(VENV)/.installed lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

slow: $(VENV)/.installed
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed
	$(BIN)/ruff check .

# mypy cannot follow the editable install's mapping of problems/ and solvers/ into the namespace,
# so it checks a staged copy laid out as the wheel is.
types: $(VENV)/.installed
	rm -rf .stage && mkdir -p .stage
	cp -r pdekit .stage/pdekit && cp -r problems solvers .stage/pdekit/
	cd .stage && ../$(BIN)/mypy -p pdekit --config-file ../pyproject.toml

clean:
	rm -rf $(VENV) .stage build dist *.egg-info
