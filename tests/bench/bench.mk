# The benchmarks: ours next to the distribution's sentinel. ONLY=name,... picks some.
BENCH_TOOLS = $(BUILD)/bench/fleet $(BUILD)/bench/load

$(BUILD)/bench/fleet: $(call objects,tests/bench/fleet*.c) $(BUILD)/common.a
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(LDFLAGS)

$(BUILD)/bench/load: $(call objects,tests/bench/load*.c) $(BUILD)/common.a
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(LDFLAGS)

$(BUILD)/bench/hello: $(BUILD)/tests/bench/hello.o $(BUILD)/runtime.a $(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(PKG_LIBS) -lpthread $(LDFLAGS)

bench-hello: $(BUILD)/bench/hello ## what a hello costs the core, plain and signed
	@$(BUILD)/bench/hello

bench-queries: all stock $(BENCH_TOOLS) ## what clients cost, next to stock (ROUNDS=7)
	@$(PYTHON) tests/bench/queries.py --sentinel $(SENTINEL) --stock $(BUILD)/stock \
	  --fleet $(BUILD)/bench/fleet --rounds $(or $(ROUNDS),7)

bench-failover: all stock ## one failover with real servers, phase by phase (RUNS=10)
	@$(PYTHON) tests/bench/failover.py --sentinel $(SENTINEL) --stock $(BUILD)/stock \
	  --cases killed/1000/$(or $(RUNS),10)

bench: all stock $(BENCH_TOOLS) ## benchmarks next to stock, up to 25 minutes: tests/bench/RESULTS.md
	@$(PYTHON) tests/bench/results.py --build $(BUILD) $(if $(ONLY),--only $(ONLY))

bench-full: all stock $(BENCH_TOOLS) ## the same, more of it: an hour
	@$(PYTHON) tests/bench/results.py --full --build $(BUILD) \
	  $(if $(ONLY),--only $(ONLY))

# A benchmark that fails leaves its section out, is named in RESULTS.md, and makes
# these fail; a bar that is not met does not.
.PHONY: bench bench-failover bench-full bench-hello bench-queries
