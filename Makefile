# Build of redis-sentinel. `make help` lists the targets; BUILD=dir builds elsewhere,
# V=1 shows the commands, DEV=1 makes warnings errors.
CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
PKGS = libuv hiredis inih libssl libcrypto
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CHECK_CFLAGS = $(shell pkg-config --cflags check 2>/dev/null)
CHECK_LIBS = $(shell pkg-config --libs check 2>/dev/null)
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)

WARN = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
       -Wmissing-prototypes -Wformat=2 -Wcast-align -Wvla -Wundef
OPT ?= -O2 -g
HARDEN ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LDHARDEN ?= -pie -Wl,-z,relro,-z,now
SAN ?=
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. $(OPT) $(WARN) $(if $(DEV),-Werror) \
             $(HARDEN) $(SAN) $(PKG_CFLAGS) -MMD -MP $(CFLAGS)
Q = $(if $(V),,@)
# For builds inside a target: all processors, unless -j was given already.
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null))
# The stages of `make test`; the numbers of seeds each target simulates.
STAGES = unit scenario sim sim-mutants-quick integration
TEST_SEEDS ?= 1-10000
CHECK_SEEDS ?= 1-200
SAN_SEEDS ?= 1-100
# Passed to the runner of the integration tests: names or parts of names, options.
CASES ?=

objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
COMMON = $(call objects,common/*.c)
CORE = $(call objects,sentinel/core/*.c)
CONF = $(call objects,sentinel/conf/*.c)
SERVER = $(call objects,sentinel/server/*.c)
RUNTIME = $(call objects,sentinel/runtime/*.c)
ARCHIVES = $(BUILD)/server.a $(BUILD)/conf.a $(BUILD)/core.a $(BUILD)/common.a
SIM_MAINS = $(BUILD)/tests/sim/main.o $(BUILD)/tests/sim/exchange.o
SIM = $(filter-out $(SIM_MAINS),$(call objects,tests/sim/*.c))
TESTLIB = $(call objects,tests/lib/*.c)
UNITS = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/check_*.c))
EXAMPLES = $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))
SENTINEL = $(BUILD)/redis-sentinel

all: $(SENTINEL) ## build redis-sentinel (default)

$(SENTINEL): $(call objects,sentinel/main.c) $(RUNTIME) $(ARCHIVES)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(PKG_LIBS) -lpthread $(LDFLAGS)

$(BUILD)/common.a: $(COMMON)
$(BUILD)/core.a: $(CORE)
$(BUILD)/conf.a: $(CONF)
$(BUILD)/runtime.a: $(RUNTIME)
$(BUILD)/server.a: $(SERVER)
$(BUILD)/sim.a: $(SIM)
$(BUILD)/%.a:
	@echo "  AR    $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c | have-libs
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(filter tests/%,$<),$(CHECK_CFLAGS)) -c -o $@ $<

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(TESTLIB) $(BUILD)/runtime.a $(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(PKG_LIBS) $(CHECK_LIBS) -lpthread $(LDFLAGS)

$(BUILD)/examples/%: $(BUILD)/examples/%.o $(BUILD)/core.a $(BUILD)/common.a
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(LDFLAGS)

have-libs:
	@pkg-config --exists $(PKGS) || { \
	  echo "Not found: one of $(PKGS) (or pkg-config). Run: make deps" >&2; exit 1; }

deps: ## install what build, demo and tests need (Debian); does nothing if all is there
	@.ci/deps all

demo: ## a failover with real servers, shown step by step
	@.ci/deps demo
	@$(MAKE) --no-print-directory $(PARALLEL) all stock
	@$(PYTHON) tests/integration/demo.py --sentinel $(SENTINEL) --stock $(BUILD)/stock

test: ## everything: unit, scenario, simulation (TEST_SEEDS), integration
	@.ci/deps all
	@$(MAKE) --no-print-directory $(PARALLEL) -k programs || true
	@TEST_SEEDS=$(TEST_SEEDS) $(PYTHON) tests/summary.py --make "$(MAKE)" $(STAGES)

# Everything the tests run, built beforehand so that the stages only test.
programs: all stock $(UNITS) $(EXAMPLES) $(BUILD)/sim $(BUILD)/exchange $(BUILD)/scenario

check: ## quick: unit, scenario, CHECK_SEEDS seeds, corpora, example, layers, tidy
	@$(MAKE) --no-print-directory $(PARALLEL) programs
	@$(MAKE) --no-print-directory unit scenario fuzz-corpus examples layers tidy
	@$(MAKE) --no-print-directory sim SEEDS=$(CHECK_SEEDS)

unit: $(UNITS) ## unit tests (Check)
	$(Q)bad=0; for t in $^; do $$t || bad=1; done; exit $$bad

examples: $(EXAMPLES) ## build and run the C examples
	$(Q)for e in $^; do echo "  RUN   $$e"; $$e || exit 1; done

# scenario: and sim: and their programs (SEEDS=1-5000 JOBS=2, REWRITE=1)
-include tests/scenario/scenario.mk
-include tests/sim/sim.mk
-include tests/fuzz/fuzz.mk
-include tests/experiments/experiments.mk
-include tests/bench/bench.mk

stock: # links to the distribution's own server and sentinel, for tests and demo
	@tests/stock.sh $(BUILD)/stock

integration: all stock ## tests with real servers and stock sentinels (CASES="name ...")
	@$(PYTHON) tests/integration/run.py --sentinel $(SENTINEL) --stock $(BUILD)/stock $(CASES)

faults: all stock ## real processes; networks and disks that fail (ROUNDS=20 CASES=...)
	@$(PYTHON) tests/integration/run.py --sentinel $(SENTINEL) --stock $(BUILD)/stock \
	  --faults --rounds $(or $(ROUNDS),1) $(CASES)

# The core is linked here without hardening, so that only what it asks for itself shows.
layers: ## the dependency rules: includes, and the symbols of the core
	@$(PYTHON) tests/layers.py includes
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/layers HARDEN=-fno-pie OPT=-O2 \
	  $(BUILD)/layers/core.a $(BUILD)/layers/common.a >/dev/null
	@$(PYTHON) tests/layers.py symbols $(BUILD)/layers/core.a $(BUILD)/layers/common.a

determinism: $(BUILD)/sim ## same seed, same trace: gcc and clang, -O0 and -O2
	@tests/determinism.sh $(BUILD) "$(MAKE)"

tidy: ## style: format, lengths, banned calls, disabled tests
	@$(PYTHON) tests/tidy.py
	@$(PYTHON) tests/sim/mutants.py --build $(BUILD) --texts

SAN_FLAGS = BUILD=$(BUILD)-san HARDEN= LDHARDEN= OPT="-O1 -g" \
  SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined \
  -fno-omit-frame-pointer"
san: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	$(MAKE) $(SAN_FLAGS) unit scenario
	$(MAKE) $(SAN_FLAGS) sim SEEDS=$(SAN_SEEDS)
	$(MAKE) $(SAN_FLAGS) integration CASES="--slow 3 $(or $(CASES),event_order)"

# Whatever takes bytes from outside: clients, peers, files, scripts, names, TLS.
SAN_CASES ?= event_order redis_cli hostile scripts bad_files names tls_ access
san-integration: ## these integration tests with a sentinel under ASan and UBSan
	$(MAKE) $(SAN_FLAGS) integration CASES="--slow 3 $(or $(CASES),$(SAN_CASES))"

# The simulator and the stories call no library that writes memory but inih.
MSAN_FLAGS = BUILD=$(BUILD)-msan CC="$(CLANG)" HARDEN= LDHARDEN= OPT="-O1 -g" \
  SAN="-fsanitize=memory -fsanitize-memory-track-origins -fno-omit-frame-pointer"
msan: ## the simulator and the stories under MemorySanitizer (clang)
	$(MAKE) $(MSAN_FLAGS) scenario
	$(MAKE) $(MSAN_FLAGS) sim SEEDS=$(SAN_SEEDS)

valgrind: all stock ## a failover and SIGTERM under valgrind: no error, no leak
	@$(PYTHON) tests/integration/run.py --sentinel $(SENTINEL) --stock $(BUILD)/stock \
	  --valgrind --slow 5 $(or $(CASES),event_order)

install: all ## install below PREFIX (/usr/local), DESTDIR respected
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/redis-sentinel \
	  $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(SENTINEL) $(DESTDIR)$(PREFIX)/bin/redis-sentinel
	install -m 644 sentinel.conf.sample README.md LICENSE \
	  $(DESTDIR)$(PREFIX)/share/doc/redis-sentinel/
	sed 's|/usr/local|$(PREFIX)|' examples/sentinel.service \
	  > $(DESTDIR)$(PREFIX)/lib/systemd/system/redis-sentinel.service

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/redis-sentinel \
	  $(DESTDIR)$(PREFIX)/lib/systemd/system/redis-sentinel.service
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/redis-sentinel

clean: ## remove what was built
	rm -rf $(BUILD) $(BUILD)-san $(BUILD)-msan

help: ## this list
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' Makefile $(wildcard tests/*/*.mk) | \
	  awk -F '\t' '{ printf "  %-16s %s\n", $$1, $$2 }'

-include $(shell find $(addprefix $(BUILD)/,common sentinel tests examples) \
  -name '*.d' 2>/dev/null)
.PHONY: all have-libs deps demo test programs check unit examples scenario sim stock \
  integration faults layers determinism tidy san san-integration msan valgrind install \
  uninstall clean help
.SECONDARY:
