# minirlhf. Every target makes its own environment first; a second call finds it ready.
#
#   make run          the main job: the three steps in Tinytown, ends in a report
#   make test         the tests that take minutes in all
#   make test-browser the widgets in JupyterLab, in Chromium, with mouse and keyboard
#   make test-colab   the same and the notebooks with Colab's versions (ipywidgets 7, IPython 7.34)
#   make lab          JupyterLab
#   make notebooks    build the course's notebooks from their masters, run what has changed
#   make pack         make the shipped runs that the chapters replay; resumable, takes hours
#   make measure      run every chapter and write down its time and memory
#   make bases        remake the shipped base models
#   make proof        every claim measured over several seeds; resumable, takes hours
#   make bench        this engine and its peers, alternated: speed, memory, identical numbers
#   make test-matrix  the tests under each supported Python that is installed, with the oldest
#                     versions that are accepted, and with Colab's
#   make mutants      plant each known bug, one at a time, and show which test catches it
#   make mutmut       a standard mutation tool over the equations
#   make reference    measure the reference run anew
#   make lint         style
#   make clean        remove the environments and caches, keep the runs
#
# Variables: PYTHON (a Python 3.11-3.13), VENV (where the environment goes), ARGS (passed on),
# JOBS (files of tests at a time), TORCH_INDEX (where torch comes from, such as
# https://download.pytorch.org/whl/cpu).

PYTHONS := python3 python3.12 python3.13 python3.11
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in $(PYTHONS); do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
TESTED ?= requirements-tested.txt
JOBS ?= 2
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TORCH := $(shell grep '^torch==' $(TESTED))

.PHONY: run test test-browser test-colab lab notebooks pack measure bases proof bench test-matrix \
	mutants mutmut reference lint clean
.DELETE_ON_ERROR:

run: $(READY)
	$(BIN)/minirlhf run $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

test-browser: $(READY)
	$(PIP) install -r tests/browser/requirements.txt
	$(BIN)/python -m pytest -m browser tests/browser $(ARGS)

WIDGETS := widgets live_widget page_equations stored_pages ranking_explorer prediction \
	token_lens frontier playground training_desk labeling_desk three_steps
COLAB := VENV=.venv-colab TESTED=tests/browser/requirements-colab.txt

test-colab:
	$(MAKE) .venv-colab/.ready $(COLAB)
	.venv-colab/bin/python -m pip uninstall --quiet --yes tyro  # Colab lacks it
	$(MAKE) test-browser $(COLAB)
	.venv-colab/bin/python -m pytest tests/test_course.py tests/test_exercises.py \
		tests/test_grading.py $(WIDGETS:%=tests/test_%.py)

lab: $(READY)
	$(BIN)/jupyter lab $(ARGS)

notebooks: $(READY)
	$(BIN)/python -m course.build $(ARGS)

pack: $(READY)
	$(BIN)/python -m course.pack $(ARGS)

measure: $(READY)
	$(BIN)/python -m course.build --measure $(ARGS)

bases: $(READY)
	$(BIN)/minirlhf bases $(ARGS)

proof: $(READY)
	$(BIN)/minirlhf prove $(ARGS)

# The peers live in environments of their own: no two versions of trl fit into one.
BENCHES := .venv-trl-ppo/.ready .venv-trl/.ready

bench: $(READY) $(BENCHES)
	$(BIN)/python -m benchmarks $(ARGS)

$(BENCHES): .venv-%/.ready: benchmarks/requirements-%.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip --disable-pip-version-check --quiet install \
		$(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) '$(TORCH)'
	.venv-$*/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	@touch $@

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

MATRIX := python3.11:requirements-tested.txt python3.12:requirements-tested.txt \
	python3.13:requirements-tested.txt python3.11:tests/requirements-oldest.txt \
	python3.12:tests/browser/requirements-colab.txt

test-matrix:
	@for pair in $(MATRIX); do p=$${pair%%:*}; versions=$${pair#*:}; \
		if $$p -c '$(SUPPORTED)' 2>/dev/null; \
		then $(MAKE) test PYTHON=$$p TESTED=$$versions \
			VENV=.venv-$$p-$$(basename $$versions .txt) || exit 1; \
		else echo "skipped: $$p is not installed"; fi; done

mutants: $(READY)
	$(BIN)/python tests/mutation/plant.py $(ARGS)

mutmut: $(READY)
	$(PIP) install mutmut==3.8.1
	$(if $(ARGS),,rm -rf mutants)
	OMP_NUM_THREADS=1 $(BIN)/mutmut run $(ARGS)
	$(BIN)/python tests/mutation/survivors.py

reference: $(READY)
	$(BIN)/python tests/reference.py

clean:
	rm -rf .venv* .pytest_cache .ruff_cache .hypothesis mutants build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): $(TESTED) pyproject.toml
	@$(or $(PYTHON),false) -c '$(SUPPORTED)' || { \
		echo "error: no Python 3.11, 3.12 or 3.13 found; install one, or name it: make PYTHON=..."; \
		exit 1; }
	@new=$$(test -e $(VENV) || echo yes); \
	$(PYTHON) -m venv $(VENV) || { test -z "$$new" || rm -rf $(VENV); \
		echo "error: $(PYTHON) cannot make environments; on Debian and Ubuntu install it with"; \
		echo "  sudo apt install python3-venv"; \
		echo "or use conda: conda env create -f environment.yml"; exit 1; }
	@echo "setting up $(VENV), once; this takes a few minutes"
	$(PIP) install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) '$(TORCH)'
	$(PIP) install -r $(TESTED)
	$(PIP) install --no-deps --editable .
	@touch $@
