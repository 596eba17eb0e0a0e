# SPDX-License-Identifier: MIT
#
# Type 1: the runtime (ring 0) with the core in it, and the monitor as a process.
#
#   make type1       $(O)/type1/runtime.elf, monitor.elf, store.elf, switch.elf, console.elf
#
# The core and lib/ are compiled anew for ring 0, from the same lists of sources as everywhere.

T1 := $(O)/type1
# Indirect branches are return trampolines, since a guest or a process may have trained them (AMD's "Software
# techniques for managing speculation"), and nothing behind a return or a jump is speculated.
TYPE1_SPECULATION := -fno-jump-tables \
	$(if $(findstring clang,$(CC)),-mretpoline,-mindirect-branch=thunk -mindirect-branch-register -mharden-sls=all)
TYPE1_RING0_FLAGS := $(BASE) -ffreestanding -fno-builtin-printf -mgeneral-regs-only -mcmodel=kernel -mno-red-zone \
	-fno-pic -fno-pie -fstack-protector-strong -mstack-protector-guard=global -fno-asynchronous-unwind-tables \
	$(TYPE1_SPECULATION)
# As one program: a fifth of the instructions on the way of an exit are calls between small files.  Not what the
# compiler itself refers to later (panic.c: the stack protector's).
TYPE1_WHOLE := $(if $(findstring clang,$(CC)),,-flto -flto-partition=one)
TYPE1_RING0_SRC := $(wildcard type1/boot/*.c type1/runtime/*.c type1/host/*.c)
TYPE1_RING0_ASM := $(wildcard type1/boot/*.S type1/runtime/*.S type1/host/*.S)
# What is in ring 0 of the core: all but the CPU in software, which needs a host that maps generated code.
TYPE1_CORE_SRC := $(filter-out hypervisor/x86/soft/%,$(HYPERVISOR_SRC)) $(SVM_SRC) $(VMX_SRC) $(LIB_SRC)
TYPE1_PROCESS_SRC := $(wildcard type1/process/*.c)
TYPE1_PROCESS_ASM := $(wildcard type1/process/*.S)

# The font of the screen, and of a panic on it, is one of GRUB's.
TYPE1_FONT_FILE := $(firstword $(wildcard /usr/share/grub/unicode.pf2 /usr/share/grub/ascii.pf2) /usr/share/grub/unicode.pf2)
TYPE1_FONT := $(O)/include/type1/font.h
$(TYPE1_FONT): $(O)/pf2_font
	@mkdir -p $(@D)
	@echo "  gen   $@"
	@$(O)/pf2_font $(TYPE1_FONT_FILE) $@
$(O)/pf2_font: tools/pf2_font.c include/hw/vga_characters.h
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 $(WARNINGS) -Iinclude -O1 -o $@ $<
TYPE1_FONT_USERS := type1/runtime/screen type1/services/console/surface tests/unit/test_console_display \
	tests/type1/read_screen
$(foreach user,$(TYPE1_FONT_USERS),$(T1)/ring0/$(user).o $(call obj,$(user).c) $(O)/tidy/$(user).stamp): | $(TYPE1_FONT)

.PHONY: type1
type1: $(T1)/runtime.elf $(T1)/monitor.elf

TYPE1_RING0_OBJ := $(patsubst %,$(T1)/ring0/%.o,$(basename $(TYPE1_RING0_SRC) $(TYPE1_RING0_ASM)))
TYPE1_CORE_OBJ := $(patsubst %,$(T1)/ring0/%.o,$(basename $(TYPE1_CORE_SRC) $(SVM_ASM) $(VMX_ASM)))
$(T1)/runtime.elf: $(TYPE1_RING0_OBJ) $(TYPE1_CORE_OBJ) type1/boot/runtime.ld
	@echo "  link  $@"
	@$(CC) $(TYPE1_RING0_FLAGS) $(TYPE1_WHOLE) $(CFLAGS) -nostdlib -static -Wl,--build-id=none \
		-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,-T,type1/boot/runtime.ld -o $@ $(TYPE1_RING0_OBJ) $(TYPE1_CORE_OBJ)

$(T1)/ring0/%.o: %.c Makefile type1/type1.mk | $(DECODE_OP)
	@mkdir -p $(@D)
	@echo "  ring0 $<"
	@$(CC) $(TYPE1_RING0_FLAGS) $(TYPE1_WHOLE) $(CFLAGS) -MMD -MP -c -o $@ $<
$(T1)/ring0/type1/runtime/panic.o: TYPE1_WHOLE =
$(T1)/ring0/%.o: %.S Makefile type1/type1.mk $(wildcard type1/*/*.h hypervisor/x86/*/layout.h)
	@mkdir -p $(@D)
	@echo "  ring0 $<"
	@$(CC) -I. -Iinclude -D__ASSEMBLY__ $(TYPE1_ASM_FLAGS) -c -o $@ $<
# The world switches' returns are the runtime's.
$(T1)/ring0/hypervisor/x86/svm/switch.o $(T1)/ring0/hypervisor/x86/vmx/switch.o: TYPE1_ASM_FLAGS = -include type1/host/switch_host.h

# Ring 3.  lib/ and the monitor are the very objects that the Linux command has.
$(O)/obj/type1/%.o: FLAGS = $(FREESTANDING) $(HARDEN_FREESTANDING)
$(O)/obj/type1/process/%.o: type1/process/%.S Makefile
	@mkdir -p $(@D)
	@$(CC) -I. -Iinclude -D__ASSEMBLY__ -c -o $@ $<
TYPE1_PROCESS := $(T1)/process.a
$(TYPE1_PROCESS): $(call obj,$(TYPE1_PROCESS_SRC)) $(patsubst %.S,$(O)/obj/%.o,$(TYPE1_PROCESS_ASM))
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^
# The boot loader reads all of the file, so what debuggers want stands beside it.
define type1_link
	@echo "  link  $@"
	@$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,separate-code \
		-Wl,-z,noexecstack -o $@.debug $(GROUP)
	@objcopy --strip-debug $@.debug $@
endef
$(T1)/monitor.elf: $(call obj,$(wildcard type1/monitor/*.c)) $(TYPE1_PROCESS) $(MONITOR) $(LIB)
	$(type1_link)

# Services: type1/services/NAME, with what they use of type1/drivers.
TYPE1_DRIVERS := $(T1)/drivers.a
$(TYPE1_DRIVERS): $(call obj,$(wildcard type1/drivers/*.c))
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^
define type1_service
ifneq ($(wildcard type1/services/$(1)/*.c),)
type1: $(T1)/$(1).elf
$(T1)/$(1).elf: $(call obj,$(wildcard type1/services/$(1)/*.c)) $(TYPE1_DRIVERS) $(TYPE1_PROCESS) $(LIB)
	$$(type1_link)
endif
endef
$(foreach service,store switch console,$(eval $(call type1_service,$(service))))

# Test processes, on the same library.
$(O)/obj/tests/type1/%.o: FLAGS = $(FREESTANDING) $(HARDEN_FREESTANDING)
TYPE1_TESTS := $(patsubst tests/type1/processes/%.c,$(T1)/tests/%.elf,$(wildcard tests/type1/processes/*.c))
.PHONY: type1-tests
type1-tests: $(TYPE1_TESTS) $(T1)/tests/cut_disk $(T1)/tests/read_screen
$(T1)/tests/read_screen: tests/type1/read_screen.c include/hw/vga_characters.h $(TYPE1_FONT) Makefile
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(BASE) $(CFLAGS) -o $@ $<
$(T1)/tests/cut_disk: tests/type1/cut_disk.c Makefile
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(BASE) $(CFLAGS) -o $@ $<
$(T1)/tests/%.elf: $(O)/obj/tests/type1/processes/%.o $(TYPE1_PROCESS) $(LIB)
	@mkdir -p $(@D)
	@echo "  link  $@"
	@$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,separate-code \
		-Wl,-z,noexecstack -o $@ $(GROUP)

-include $(shell find $(T1) -name '*.d' 2>/dev/null)
