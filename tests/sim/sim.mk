# The simulator. SEEDS=1-5000 JOBS=2 FLAGS="--statistics"
SEEDS ?= 1-2000
JOBS ?= $(shell nproc 2>/dev/null || echo 1)

$(BUILD)/sim: $(BUILD)/tests/sim/main.o $(BUILD)/sim.a $(BUILD)/tests/lib/reply.o \
              $(ARCHIVES)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(PKG_LIBS) $(LDFLAGS)

$(BUILD)/exchange: $(BUILD)/tests/sim/exchange.o $(BUILD)/sim.a \
                   $(BUILD)/tests/lib/reply.o $(ARCHIVES)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(PKG_LIBS) $(LDFLAGS)

exchange: $(BUILD)/exchange ## is the model of a stock sentinel like the real one?
	$(Q)$(BUILD)/exchange tests/sim/stock.exchange
.PHONY: exchange

sim: $(BUILD)/sim exchange ## simulated clusters under faults: SEEDS=1-2000 JOBS=n FLAGS=...
	$(Q)$(BUILD)/sim --seeds $(SEEDS) --jobs $(JOBS) --statistics $(FLAGS)

sim-fast: ## the same, from a build for speed: for very many seeds
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) BUILD=$(BUILD)/fast HARDEN= \
	  OPT="-O3 -g -flto=auto" LDHARDEN="-O3 -flto=auto" $(BUILD)/fast/sim
	$(Q)$(BUILD)/fast/sim --seeds $(SEEDS) --jobs $(JOBS) --statistics $(FLAGS)

# Three that few seeds notice: is the judge awake?
sim-mutants-quick: ## three of these defects, for `make test`
	$(Q)$(PYTHON) tests/sim/mutants.py --build $(BUILD) --make "$(MAKE)" --no-story \
	  vote-twice skip-quorum answer-before-durable

sim-mutants: ## deliberate defects, one by one: the simulator must notice each
	$(Q)$(PYTHON) tests/sim/mutants.py --build $(BUILD) --make "$(MAKE)" $(MUTANTS)
.PHONY: sim-fast sim-mutants sim-mutants-quick
