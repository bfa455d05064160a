# The verbs of the course. Each sets itself up; none needs anything but Python 3.11+, git and make.
PYTHON ?= python3
RUN := .venv/bin/python
# One thread per process: the work is many small tensors, and two processes share two cores.
export OMP_NUM_THREADS ?= 1
export PYTHONHASHSEED := 0

.PHONY: help course test book serve lab reset mine check release site.zip pdf epub notebooks bench clean env env-dev browser vocabularies

help:  ## this list
	@grep -E '^[a-z.-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

course: env  ## build the book, generate the exercises, grade a sample class
	@$(RUN) -m grading release --no-gradebook
	@$(RUN) book/_ext/build.py
	@$(RUN) -m grading class

# Three processes on two cores: one often waits, for a browser or for a clock. Tests that share something dear stay together (tests/conftest.py), in its order.
PYTEST := $(RUN) -m pytest -n 3 --no-loadscope-reorder

ifdef ONLY
test: env-dev browser
	@$(RUN) book/_ext/build.py --only "$(ONLY)"
	@$(RUN) -m grading solutions --only "$(ONLY)"
	@$(PYTEST) --only "$(ONLY)" tests/book tests/grading tests/site
else
test: env-dev browser vocabularies check  ## everything that CI runs; of one chapter: make test ONLY=softmax
	@$(RUN) -m grading release --check
	@$(RUN) book/_ext/build.py
	@$(RUN) -m grading solutions
	@$(PYTEST)
endif

book: env  ## the book alone
	@$(RUN) book/_ext/build.py

serve: book  ## the book on http://localhost:8000 (PORT=… for another)
	@$(RUN) -m http.server $(or $(PORT),8000) --bind 127.0.0.1 --directory _build/html

lab: env  ## JupyterLab on work/, your own copies of the exercises
	@$(RUN) -m grading lab

reset: env  ## start one notebook again, keeping a dated copy: make reset NOTEBOOK=softmax
	@$(RUN) -m grading reset "$(NOTEBOOK)"

mine: env  ## your answers that pass, gathered into a library of your own: work/mine.py
	@$(RUN) -m grading mine

check: env-dev  ## format, lint, types
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy

release: env  ## generate exercises/ from solutions/, ready to be graded
	@$(RUN) -m grading release

site.zip: book  ## the whole site as one file to unzip and read offline
	@$(RUN) book/_ext/build.py --zip

pdf: env-dev browser book  ## the whole book in one file, _build/attention.pdf (a minute)
	@$(RUN) book/_ext/pdf.py

epub: book  ## the book for an e-reader, _build/attention.epub
	@$(RUN) book/_ext/epub.py

notebooks: book  ## the notebooks for download and Colab, in _build/notebooks
	@$(RUN) book/_ext/downloads.py _build/notebooks

bench: env-dev vocabularies  ## time and memory beside PyTorch and tiktoken (under fifteen minutes); one part: make bench ONLY=exact
	@$(RUN) -m benchmarks $(ONLY)

clean:  ## remove what was made, but never work/ or the data of a class
	@rm -rf _build .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

env:
	@$(PYTHON) .ci/environment.py

env-dev:
	@$(PYTHON) .ci/environment.py --dev

browser: env-dev
	@$(RUN) .ci/browser.py

vocabularies: env-dev
	@$(RUN) .ci/vocabularies.py
