# Fuzzing with clang's libFuzzer: T=hello TIME=60; without T each target in turn.
# Without clang only the corpora are run. What the fuzzer finds new is kept below
# $(BUILD)/fuzz-found, crashers as $(BUILD)/fuzz-<target>-crash-*.
FUZZ_TARGETS = resp args conf acl hello info server core
TIME ?= 60
FUZZ_RUNS ?= 20000
CLANG ?= clang
FUZZ_LIB = $(BUILD)/tests/fuzz/input.o $(BUILD)/tests/fuzz/reload.o \
  $(BUILD)/tests/fuzz/bench.o $(BUILD)/tests/fuzz/bench_world.o \
  $(BUILD)/tests/lib/clients.o $(BUILD)/tests/lib/reply.o
FUZZ_MAIN = $(BUILD)/tests/fuzz/corpus.o
FUZZ_ENGINE =
FUZZ_SAN = -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer \
  -fno-sanitize-recover=undefined

$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_LIB) $(FUZZ_MAIN) $(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(FUZZ_ENGINE) $(LDHARDEN) -o $@ $^ $(PKG_LIBS) $(CHECK_LIBS) \
	  -lpthread $(LDFLAGS)

fuzz: ## fuzz with clang: T=hello TIME=60 (each target in turn without T)
	$(Q)if ! echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
	    $(CLANG) -x c -fsanitize=fuzzer,address -o /dev/null - 2>/dev/null; then \
	  echo "no $(CLANG) that can fuzz: the corpora are run instead" >&2; \
	  exec $(MAKE) --no-print-directory fuzz-corpus; fi; \
	for t in $(or $(T),$(FUZZ_TARGETS)); do \
	  $(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=$(CLANG) HARDEN= LDHARDEN= \
	    OPT="-O1 -g" SAN="$(FUZZ_SAN)" FUZZ_MAIN= FUZZ_ENGINE=-fsanitize=fuzzer \
	    $(BUILD)/clang/fuzz/$$t && \
	  mkdir -p $(BUILD)/fuzz-found/$$t && \
	  $(BUILD)/clang/fuzz/$$t -dict=tests/fuzz/$$t.dict -max_total_time=$(TIME) \
	    -artifact_prefix=$(BUILD)/fuzz-$$t- -timeout=20 -max_len=4096 \
	    -print_final_stats=1 $(FUZZ_FLAGS) \
	    $(BUILD)/fuzz-found/$$t tests/fuzz/corpus/$$t || exit 1; \
	  echo "  OK    fuzz: $$t"; \
	done

# The same inputs each time (unless the machine is so slow that TIME ends it first).
fuzz-quick: ## a short run of each fuzz target (FUZZ_RUNS inputs)
	@$(MAKE) --no-print-directory $(PARALLEL) fuzz TIME=15 \
	  FUZZ_FLAGS="-runs=$(FUZZ_RUNS) -seed=1 -verbosity=0 -print_final_stats=0"

programs: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)

fuzz-corpus: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%) ## the inputs of all fuzz targets, once
	$(Q)for t in $(FUZZ_TARGETS); do \
	  $(BUILD)/fuzz/$$t tests/fuzz/corpus/$$t || exit 1; \
	  echo "  OK    corpus: $$t"; done

.PHONY: fuzz fuzz-corpus fuzz-quick
