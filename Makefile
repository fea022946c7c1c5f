# make demo   serve the examples              make test    everything: lint, types, layers, all tests
# make lint   ruff, mypy, layers, house       make check   lint, and the tests of units and of the protocol
# make bench  measure against the stock server
# make docs   write generated files, and build the manual into build/manual
# make generated  only the generated files    make lock    pin the dependencies again
# make pictures   take the manual's pictures of pages and commands again, in Chromium
# make clean  remove what these have made     make wheelhouse  collect what hosts install
# make test-oldest  what depends on bokeh and Panel, with the oldest Python and the older minors of both

# All else is installed into .venv, with the newest tested Python of this machine; make PYTHON=python3.11 takes that one.
THIS := $(if $(filter undefined,$(origin PYTHON)),,this)
PYTHON ?= python3
# Further arguments for pytest: make test ARGS="-k sliders"
ARGS ?=
VENV := .venv/bin
# What is tested in a second environment, with the oldest Python.
OLDEST_TESTS ?= tests/unit/document tests/unit/session tests/unit/guests tests/unit/client tests/protocol/contract \
        tests/peers $(addprefix tests/browser/test_,$(addsuffix .py,applications early_document page_parts panel \
        panel_saved resume standalone sync))
UV ?= uv
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --custom-compile-command "make lock"
# Their groups in pyproject.toml: what work on app-server needs, and its users do not.
GROUPS := --group test --group dev
# The packages that `make lock` may upgrade, by default all: make lock ONLY="bokeh panel"
ONLY ?=
UPGRADE = $(if $(ONLY),$(foreach package,$(ONLY),--upgrade-package $(package)),--upgrade)

.PHONY: demo test test-oldest check lint ruff mypy layers house bench generated docs pictures lock clean wheelhouse \
        run-venv test-venv oldest-venv
.DEFAULT_GOAL := test

demo: run-venv
	@$(VENV)/python tools/demo.py

# Runs tests, and lint beside them in the time in which they wait; what lint finds comes last, where one sees it.
define beside-lint
@mkdir -p build
@nice $(MAKE) --no-print-directory lint >build/lint.log 2>&1 & lint=$$!; \
trap 'kill $$lint 2>/dev/null; exit 130' INT TERM HUP; \
$(1); status=$$?; \
wait $$lint || { cat build/lint.log; echo "lint has failed; this is what it found"; status=1; }; exit $$status
endef

test: test-venv
	$(call beside-lint,$(VENV)/python tools/run_tests.py $(ARGS))

test-oldest: oldest-venv
	.venv-oldest/bin/python tools/run_tests.py $(OLDEST_TESTS) $(ARGS)

check: test-venv
	$(call beside-lint,APP_SERVER_TEST_EXAMPLES=$${APP_SERVER_TEST_EXAMPLES:-0.25} $(VENV)/python tools/run_tests.py tests/protocol tests/unit $(ARGS))

# Side by side: mypy takes as long as the others together.
lint: test-venv
	@$(MAKE) --no-print-directory --jobs=4 mypy house layers ruff

ruff:
	$(VENV)/ruff check

mypy:
	$(VENV)/mypy

layers:
	$(VENV)/lint-imports --no-logo

house:
	$(VENV)/python -m tools.house

bench: test-venv
	$(VENV)/python -m bench.run $(ARGS)

generated: test-venv
	$(VENV)/python tools/settings_docs.py
	$(VENV)/python tools/compose_files.py
	$(VENV)/python tools/deploy_example.py

docs: generated
	$(VENV)/python -m tools.manual

pictures: test-venv
	$(VENV)/python -m tools.manual.pictures $(ARGS)

# Upgrades within what pyproject.toml allows; run.txt first, so that tests run on what users get.
lock:
	$(LOCK) $(UPGRADE) pyproject.toml requirements/build.in -o requirements/run.txt
	$(LOCK) $(UPGRADE) --all-extras $(GROUPS) -c requirements/run.txt pyproject.toml requirements/build.in -o requirements/test.txt
	$(LOCK) $(UPGRADE) --extra gunicorn --extra jobs --extra redis -c requirements/test.txt pyproject.toml requirements/image.in -o requirements/image.txt
	$(LOCK) $(UPGRADE) -c requirements/test.txt requirements/build.in -o requirements/build.txt

# With a PYTHON of the version that the hosts have.
wheelhouse:
	$(PYTHON) tools/wheelhouse.py build/wheelhouse

clean:
	rm -rf .venv .venv-oldest dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# These do nothing while the lock and pyproject.toml are those that .venv was made from.
run-venv:
	@$(PYTHON) tools/bootstrap.py run $(THIS)

test-venv:
	@$(PYTHON) tools/bootstrap.py test $(THIS)

oldest-venv:
	@$(PYTHON) tools/bootstrap.py oldest
