# make setup: the environment (TORCH=cpu, or TORCH_INDEX=URL: torch without a GPU's libraries); make demo: the main job on a small phantom; make review: look at it in the browser; make test: lint, types, tests;
# make coverage: lines that no test reaches; make docs: the site; make examples: outputs and figures of docs/examples;
# make bench NAME=...: one figure.
PYTHON ?= python3
BIN := .venv/bin
RUN := runs/demo
RATER := me
TORCH :=
TORCH_INDEX :=
UV = $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python $(if $(TORCH),--torch-backend $(TORCH))

.PHONY: setup demo review test tests coverage lint docs examples bench clean

setup: .venv/ready

# What demo and review need; lint, tests, docs and benchmarks add what they need by .venv/tested. uv makes this fast; BlazePose's networks are fetched here, because no package carries them alone; torch and torchvision come from the same index, so that they fit. Compiling now (a minute) spares every first import.
.venv/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "semiology needs Python 3.11 to 3.13: make PYTHON=python3.11 setup"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(if $(TORCH_INDEX),$(UV) --index-url $(TORCH_INDEX) 'torch>=2.11' 'torchvision>=0.26')
	$(UV) --editable '.[blazepose,review]'
	$(BIN)/semiology weights get blazepose
	touch $@

.venv/tested: .venv/ready
	$(UV) --editable '.[blazepose,review,test]'
	touch $@

# Stage by stage in one process, with a first picture within a minute and the time of each at the end; a second `make demo` does no work twice.
demo: setup
	$(BIN)/semiology demo $(RUN)

# The demo's cohort in the browser; prints the address, serves until Ctrl-C. RATER=name.
review: setup
	@test -f $(RUN)/predictions.csv || { echo "there is no demo yet: make demo"; exit 2; }
	$(BIN)/semiology review $(RUN)/cohort --store $(RUN)/store --run $(RUN) --rater $(RATER) --extract configs/demo_extract.yaml --extract.face_weights $(RUN)/face_vgg.safetensors --extract.body_weights $(RUN)/body_vgg.safetensors

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy semiology

# COV=1 measures coverage too and fails below the floor that pyproject.toml states (fail_under), as CI does; -j2 lints meanwhile.
test: lint tests

tests: .venv/tested
	$(BIN)/pytest -n auto $(if $(COV),--cov --cov-report=term)

# Which lines no test reaches: the same, in a table and in runs/coverage/index.html.
coverage: .venv/tested
	$(BIN)/pytest -n auto --cov --cov-report=term --cov-report=html:runs/coverage

docs: .venv/tested
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

examples: .venv/tested
	OMP_NUM_THREADS=1 $(BIN)/python tests/page_code.py $(wildcard docs/examples/*.md)

bench: .venv/tested
	@test -f benchmarks/$(subst -,_,$(NAME)).py || { echo "no benchmark '$(NAME)'; there are: $(subst _,-,$(filter-out record earlier_build paper_phantom gpu_day gpu_training environments in_browser in_marks in_marks_others in_movement in_programs mutation_inputs kills field_case field_missing field_times field_labels field_people field_tables field_videos field_programs field_opened utkinect_cohort in_mediapipe kinect_skeletons skeleton_table phantom_run phantom_labels seizure_watch jerk_inputs jerk_severity many_clips original_agcn,$(basename $(notdir $(wildcard benchmarks/*.py)))))"; exit 2; }
	$(BIN)/python benchmarks/$(subst -,_,$(NAME)).py $(ARGS)

clean:
	rm -rf runs site
