# Build of redis-sentinel. `make help` lists the targets.
CC ?= gcc
BUILD ?= build
PKGS = libuv hiredis inih openssl
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CHECK_CFLAGS = $(shell pkg-config --cflags check 2>/dev/null)
CHECK_LIBS = $(shell pkg-config --libs check 2>/dev/null)

WARN = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
       -Wmissing-prototypes -Wformat=2 -Wcast-align -Wvla -Wundef
OPT ?= -O2 -g
HARDEN ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LDHARDEN ?= -pie -Wl,-z,relro,-z,now
SAN ?=
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. $(OPT) $(WARN) $(if $(DEV),-Werror) $(HARDEN) $(SAN) \
             $(PKG_CFLAGS) -MMD -MP $(CFLAGS)
Q = $(if $(V),,@)

COMMON = $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*.c))
CORE = $(patsubst %.c,$(BUILD)/%.o,$(wildcard sentinel/core/*.c))
CONF = $(patsubst %.c,$(BUILD)/%.o,$(wildcard sentinel/conf/*.c))
SERVER = $(patsubst %.c,$(BUILD)/%.o,$(wildcard sentinel/server/*.c))
RUNTIME = $(patsubst %.c,$(BUILD)/%.o,$(wildcard sentinel/runtime/*.c))
ARCHIVES = $(BUILD)/server.a $(BUILD)/conf.a $(BUILD)/core.a $(BUILD)/common.a
SIM = $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/sim/main.c,$(wildcard tests/sim/*.c)))
TESTLIB = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/lib/*.c))
UNITS = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/check_*.c))

all: $(BUILD)/redis-sentinel

$(BUILD)/redis-sentinel: $(BUILD)/sentinel/main.o $(RUNTIME) $(ARCHIVES)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(PKG_LIBS) -lpthread $(LDFLAGS)

$(BUILD)/common.a: $(COMMON)
$(BUILD)/core.a: $(CORE)
$(BUILD)/conf.a: $(CONF)
$(BUILD)/server.a: $(SERVER)
$(BUILD)/sim.a: $(SIM)
$(BUILD)/%.a:
	@echo "  AR    $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(filter tests/%,$<),$(CHECK_CFLAGS)) -c -o $@ $<

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(TESTLIB) $(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(PKG_LIBS) $(CHECK_LIBS) -lpthread $(LDFLAGS)

check: $(UNITS)
	$(Q)for t in $^; do $$t || exit 1; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all check clean
.SECONDARY:
