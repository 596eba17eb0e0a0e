# SPDX-License-Identifier: MIT
#
# `make bench`: Dyad beside QEMU, in the lab.  BENCH holds words for bench/run: `make bench BENCH=--quick`.

bench: $(O)/dyad guests $(O)/bench/await
	@DYAD_BUILD=$(O) bench/run $(BENCH)

# Static, since it runs in the lab's host, whose libc may be another.
$(O)/bench/await: bench/await.c
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(HOSTED) $(CFLAGS) -static -o $@ $<
