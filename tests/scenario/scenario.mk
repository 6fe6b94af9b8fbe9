# The stories. REWRITE=1 writes what happens into the files: review the difference.
$(BUILD)/scenario: $(BUILD)/tests/scenario/run.o $(BUILD)/tests/scenario/script.o \
                   $(BUILD)/tests/scenario/story.o \
                   $(BUILD)/sim.a $(BUILD)/tests/lib/reply.o $(ARCHIVES)
	@echo "  LD    $@"
	$(Q)$(CC) $(SAN) $(LDHARDEN) -o $@ $^ $(PKG_LIBS) $(LDFLAGS)

scenario: $(BUILD)/scenario ## stories with exact narration (REWRITE=1 regenerates them)
	$(Q)$(BUILD)/scenario $(if $(REWRITE),--rewrite) tests/scenario/*.txt
