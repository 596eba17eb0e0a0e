# SPDX-License-Identifier: MIT
#
# Builds Dyad out of tree in build/.  `make help` lists what it can make.
#
#   CC=clang            another compiler
#   SANITIZE=address,undefined   an instrumented build, in build/<that>/
#   DYAD_BUILD=DIR      another place than build/

DYAD_BUILD ?= build
SANITIZE ?=
comma := ,
O := $(DYAD_BUILD)$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))

VERSION := $(shell cat VERSION)

CC ?= cc
ifeq ($(origin CC),default)
CC := gcc
endif

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wundef -Wvla -Wimplicit-fallthrough -Wformat=2
CFLAGS ?= -O2 -g
BASE := -std=gnu11 -I. -Iinclude -I$(O)/include $(WARNINGS) -fno-strict-aliasing -fno-common \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
# The monitor, the core and lib/ also run on bare metal: no libc, no floating point in sight.
FREESTANDING := $(BASE) -ffreestanding -fno-builtin-printf
HOSTED := $(BASE) -D_GNU_SOURCE -DDYAD_VERSION='"$(VERSION)"' -pthread
HARDEN := $(if $(SANITIZE),,-fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2)

# libslirp logs by GLib.
GLIB_FLAGS := $(subst -I,-isystem ,$(shell pkg-config --cflags-only-I glib-2.0 2>/dev/null))
PROCESS_LIBS := -luring -lslirp -lglib-2.0 -lz -llzma -lzstd -llz4
CLI_LIBS := -ljansson

LIB_SRC := $(wildcard lib/*.c)
HYPERVISOR_SRC := $(wildcard hypervisor/*.c hypervisor/*/*.c hypervisor/x86/soft/*.c)
SVM_SRC := $(wildcard hypervisor/x86/svm/*.c)
SVM_ASM := $(wildcard hypervisor/x86/svm/*.S)
VMX_SRC := $(wildcard hypervisor/x86/vmx/*.c)
VMX_ASM := $(wildcard hypervisor/x86/vmx/*.S)
MONITOR_SRC := $(wildcard monitor/*.c monitor/*/*.c)
PROCESS_SRC := $(wildcard type2/process/*.c)
CLI_SRC := $(wildcard cli/*.c)
SUPPORT_SRC := $(wildcard tests/support/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
HOSTED_UNIT_SRC := $(wildcard tests/unit/hosted/test_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)

obj = $(patsubst %.c,$(O)/obj/%.o,$(1))
LIB := $(O)/lib.a
MONITOR := $(O)/monitor.a
HYPERVISOR := $(O)/hypervisor.a
# Backends for hosts in kernel mode alone; they link them beside the core.
HYPERVISOR_SVM := $(O)/hypervisor-svm.a
HYPERVISOR_VMX := $(O)/hypervisor-vmx.a
PROCESS := $(O)/process.a
CLI := $(O)/cli.a
SUPPORT := $(O)/support.a
UNITS := $(patsubst tests/unit/%.c,$(O)/tests/%,$(UNIT_SRC))
HOSTED_UNITS := $(patsubst tests/unit/hosted/%.c,$(O)/tests/hosted/%,$(HOSTED_UNIT_SRC))
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(FUZZ_SRC))

.PHONY: all units oracle differential fuzzers bench guests tidy clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(O)/dyad $(HYPERVISOR_SVM) $(HYPERVISOR_VMX)

# The process host calls the core, and the core its host.
GROUP = -Wl,--start-group $^ -Wl,--end-group

help:
	@echo "make             the dyad command: $(O)/dyad"
	@echo "make units       the unit tests, in $(O)/tests/"
	@echo "make oracle      the decoder's comparison with Zydis: $(O)/decode/oracle"
	@echo "make fuzzers     the fuzz targets, in $(O)/fuzz/ (clang)"
	@echo "make differential  the CPU in software beside the host's, in $(O)/differential/"
	@echo "make guests      the small guests of tests/guest"
	@echo "make bench       the benchmarks beside QEMU"
	@echo "make compare     type 1 beside type 2 and KVM: docs/types.md"
	@echo "make driver      the Linux module: $(O)/dyad.ko"
	@echo "make driver-tests  it, and what tests/driver/run takes into the lab"
	@echo "make type1       the bare-metal runtime and its monitor, in $(O)/type1/"
	@echo "make install     into \$$(DESTDIR)\$$(PREFIX), PREFIX=/usr/local"
	@echo "make clean       removes what was built (not build/lab, which is slow to make)"
	@echo "./check          all tests;  ./check --long  the long ones too"

$(O)/dyad: $(call obj,cli/main.c) $(CLI) $(MONITOR) $(PROCESS) $(HYPERVISOR) $(LIB)
	@echo "  link  $@"
	@$(CC) $(HOSTED) $(if $(SANITIZE),,-pie) $(CFLAGS) $(LDFLAGS) -o $@ $(GROUP) $(PROCESS_LIBS) $(CLI_LIBS) -lm

$(LIB): $(call obj,$(LIB_SRC))
$(MONITOR): $(call obj,$(MONITOR_SRC))
$(HYPERVISOR): $(call obj,$(HYPERVISOR_SRC))
$(HYPERVISOR_SVM): $(call obj,$(SVM_SRC)) $(patsubst %.S,$(O)/obj/%.o,$(SVM_ASM))
$(HYPERVISOR_VMX): $(call obj,$(VMX_SRC)) $(patsubst %.S,$(O)/obj/%.o,$(VMX_ASM))
$(PROCESS): $(call obj,$(PROCESS_SRC))
$(CLI): $(call obj,$(filter-out cli/main.c,$(CLI_SRC)))
$(SUPPORT): $(call obj,$(SUPPORT_SRC))
$(O)/%.a:
	@rm -f $@
	@ar rcs $@ $^

# The decoder's enumerations and tables, of its list of instructions
DECODE_OP := $(O)/include/lib/decode_op.h
DECODE_DATA := $(O)/include/lib/decode_data.h
$(DECODE_OP) $(DECODE_DATA) &: lib/decode/instructions.txt $(O)/decode_tables
	@mkdir -p $(@D)
	@echo "  gen   $(DECODE_OP)"
	@$(O)/decode_tables $< $(DECODE_OP) $(DECODE_DATA)
$(O)/decode_tables: tools/decode_tables.c lib/decode_entry.h lib/decode_attributes.h
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -D_GNU_SOURCE -I. $(WARNINGS) -O1 -o $@ $<

# flags by layer
$(O)/obj/lib/%.o $(O)/obj/monitor/%.o: FLAGS = $(FREESTANDING) $(HARDEN_FREESTANDING)
# The core runs where the guest's, or another process's, vector registers are live.
$(O)/obj/hypervisor/%.o: FLAGS = $(FREESTANDING) $(HARDEN_FREESTANDING) -mgeneral-regs-only
$(O)/obj/type2/%.o $(O)/obj/cli/%.o: FLAGS = $(HOSTED) $(HARDEN)
$(O)/obj/type2/process/net_log.o: FLAGS += $(GLIB_FLAGS)
# Tests put the ABI's lists, whose entries follow a header, into structures.
$(O)/obj/tests/%.o: FLAGS = $(HOSTED) -Wno-gnu-variable-sized-type-not-at-end
HARDEN_FREESTANDING := $(if $(SANITIZE),,-fstack-protector-strong -fPIE)

$(O)/obj/%.o: %.c Makefile VERSION | $(DECODE_OP)
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/obj/hypervisor/%.o: hypervisor/%.S $(wildcard hypervisor/x86/*/layout.h) Makefile
	@mkdir -p $(@D)
	@echo "  as    $<"
	@$(CC) -I. -Iinclude -c -o $@ $<

# Unit tests: those in tests/unit see the monitor on a fake operating system and the core on a fake
# host (tests/support), those in tests/unit/hosted the process host and the command.
units: $(UNITS) $(HOSTED_UNITS)
$(O)/tests/%: $(O)/obj/tests/unit/%.o $(MONITOR) $(HYPERVISOR) $(HYPERVISOR_SVM) $(HYPERVISOR_VMX) \
		$(SUPPORT) $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(HOSTED) $(CFLAGS) -o $@ $(GROUP) -lcmocka
$(O)/tests/hosted/%: $(O)/obj/tests/unit/hosted/%.o $(CLI) $(MONITOR) $(PROCESS) $(HYPERVISOR) $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(HOSTED) $(CFLAGS) -o $@ $(GROUP) $(PROCESS_LIBS) $(CLI_LIBS) -lcmocka -lm

# The decoder beside another one
oracle: $(O)/decode/oracle
$(O)/decode/oracle: $(call obj,$(wildcard tests/decode/*.c)) $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(HOSTED) $(CFLAGS) -o $@ $^ -lZydis -lZycore

# The soft CPU beside the host's own
differential: $(O)/differential/differential
$(O)/differential/differential: $(call obj,$(wildcard tests/differential/*.c)) \
		$(O)/obj/tests/differential/enter.o $(MONITOR) $(PROCESS) $(HYPERVISOR) $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(HOSTED) $(if $(SANITIZE),,-pie) $(CFLAGS) -o $@ $(GROUP) $(PROCESS_LIBS)
$(O)/obj/tests/differential/enter.o: tests/differential/enter.S tests/differential/layout.h
	@mkdir -p $(@D)
	@echo "  as    $<"
	@$(CC) -I. -c -o $@ $<

# Fuzz targets: the same sources again, instrumented by clang.
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -O1 -g
fobj = $(patsubst %.c,$(O)/fuzzobj/%.o,$(1))
fuzzers: $(FUZZERS)
$(O)/fuzz.a: $(call fobj,$(MONITOR_SRC) $(HYPERVISOR_SRC) $(SUPPORT_SRC) $(LIB_SRC))
$(O)/fuzz/%: $(O)/fuzzobj/tests/fuzz/%.o $(O)/fuzz.a
	@mkdir -p $(@D)
	@clang -fsanitize=fuzzer,address,undefined -o $@ $^ -lcmocka
$(O)/fuzzobj/hypervisor/%.o: FUZZ_LAYER = -mgeneral-regs-only
$(O)/fuzzobj/%.o: %.c Makefile | $(DECODE_OP)
	@mkdir -p $(@D)
	@echo "  fuzz  $<"
	@clang $(BASE) -D_GNU_SOURCE $(FUZZ_FLAGS) $(FUZZ_LAYER) -MMD -MP -c -o $@ $<

# Small freestanding guests: Multiboot kernels of 32 bits, one a C file, on a start and library in common.
GUEST_SRC := $(filter-out tests/guest/guest.c,$(wildcard tests/guest/*.c))
GUESTS := $(patsubst tests/guest/%.c,$(O)/guests/%.elf,$(GUEST_SRC))
GUEST_FLAGS := -std=gnu11 -I. -m32 -march=i686 -O2 -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -mgeneral-regs-only $(WARNINGS)
guests: $(GUESTS)
GUEST_SUPPORT := $(wildcard tests/guest/support/*.[cS])
$(O)/guests/%.elf: tests/guest/%.c tests/guest/guest.c tests/guest/start.S tests/guest/guest.ld $(GUEST_SUPPORT) \
		$(wildcard tests/guest/*.h tests/guest/support/*.h)
	@mkdir -p $(@D)
	@echo "  guest $@"
	@$(CC) $(GUEST_FLAGS) -nostdlib -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-z,max-page-size=4096 \
		-Wl,-T,tests/guest/guest.ld -o $@ tests/guest/start.S $< tests/guest/guest.c $(GUEST_SUPPORT)

# Static analysis; a stamp for each file, so that only what changed is looked at again.
TIDY_SRC := $(LIB_SRC) $(HYPERVISOR_SRC) $(SVM_SRC) $(VMX_SRC) $(MONITOR_SRC) $(PROCESS_SRC) $(CLI_SRC) \
	$(wildcard type1/*/*.c type1/services/*/*.c)
HEADERS := $(shell git ls-files '*.h' 2>/dev/null)
tidy: $(patsubst %.c,$(O)/tidy/%.stamp,$(TIDY_SRC))
$(O)/tidy/%.stamp: %.c .clang-tidy $(HEADERS) | $(DECODE_OP)
	@mkdir -p $(@D)
	@echo "  tidy  $<"
	@clang-tidy --quiet $< -- $(HOSTED) $(GLIB_FLAGS) $(if $(filter type1/%,$<),-ffreestanding) 2>$(@:.stamp=.log) || { cat $(@:.stamp=.log); false; }
	@touch $@

include cli/install.mk bench/bench.mk type2/driver/driver.mk type1/type1.mk

clean:
	rm -rf $(O)/obj $(O)/fuzzobj $(O)/tests $(O)/fuzz $(O)/differential $(O)/driver $(O)/driver-tests $(O)/*.a $(O)/dyad $(O)/dyad.ko

-include $(shell find $(O)/obj $(O)/fuzzobj -name '*.d' 2>/dev/null)
