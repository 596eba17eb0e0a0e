# SPDX-License-Identifier: MIT
#
# `make bench`: Dyad beside QEMU, in the lab.  BENCH holds words for bench/run: `make bench BENCH=--quick`.

bench: $(O)/dyad $(O)/dyad.ko guests $(O)/bench/await $(O)/bench/speed
	@DYAD_BUILD=$(O) bench/run $(BENCH)

# The same VMs as type 1 and as type 2: docs/types.md.  COMPARE holds words for bench/compare.
.PHONY: compare
compare: $(O)/dyad $(O)/dyad.ko guests type1 $(O)/bench/compare_guest
	@DYAD_BUILD=$(O) bench/compare $(COMPARE)

# Static, since they run in the lab's host, or in a guest, whose libc may be another.
$(O)/bench/%: bench/%.c
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(HOSTED) $(CFLAGS) -static -o $@ $<
