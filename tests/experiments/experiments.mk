# What takes long and shows figures; see ../README.md. Root, and Linux's TUN devices.
WITH_PROGRAMS = --sentinel $(SENTINEL) --stock $(BUILD)/stock

experiment-loss: all stock ## writes lost in a partition, next to stock: tests/LOSS.md
	@$(PYTHON) tests/experiments/loss.py $(WITH_PROGRAMS) \
	  --rounds $(or $(ROUNDS),3) --write tests/LOSS.md

soak: all stock ## constant failovers; memory, descriptors and CPU stay flat (MINUTES=30)
	@$(PYTHON) tests/experiments/soak.py $(WITH_PROGRAMS) --minutes $(or $(MINUTES),30)

.PHONY: experiment-loss soak
