# SPDX-License-Identifier: MIT
#
# make driver: the Linux module, $(O)/dyad.ko.  Included by the Makefile.
#
#   KDIR=DIR    the headers of the kernel that it is for (the lab's, which are fetched; for the running
#               one: /lib/modules/$(uname -r)/build)
#
# The kernel's build leaves its objects beside the sources, so these are laid out in $(O)/driver first.
# The same layout is what install-driver puts where DKMS finds it.

LAB_HEADERS := $(DYAD_BUILD)/lab/headers/build
KDIR ?= $(LAB_HEADERS)
DRIVER_SOURCE := $(O)/driver
DRIVER_FILES := $(wildcard type2/driver/*.[ch] type2/driver/include/*.h hypervisor/*.[ch] hypervisor/irqchip/*.[ch] \
	hypervisor/x86/*.[ch] hypervisor/x86/svm/*.[chS] hypervisor/x86/vmx/*.[chS] lib/*.[ch] include/*.h include/hw/*.h) VERSION LICENSE
DRIVER_SRC := $(wildcard type2/driver/*.c)
# The kernel that the lab's headers are for is built with gcc.
DRIVER_CC ?= gcc
DKMSDIR ?= /usr/src/dyad-$(VERSION)

.PHONY: driver driver-tests driver-source install-driver uninstall-driver
driver: $(O)/dyad.ko

# What is no more in the tree must not be built.
driver-source: $(DECODE_OP)
	@mkdir -p $(DRIVER_SOURCE)
	@cd $(DRIVER_SOURCE) && find . -name '*.[chS]' | sed 's,^\./,,' | sort >.have
	@printf '%s\n' $(DRIVER_FILES) lib/decode_op.h lib/decode_data.h | sort | comm -13 - $(DRIVER_SOURCE)/.have | \
		grep -v '\.mod\.c$$' | (cd $(DRIVER_SOURCE) && xargs -r rm -f)
	@cp -u --preserve=timestamps --parents $(DRIVER_FILES) $(DRIVER_SOURCE)
	@cp -u --preserve=timestamps $(DECODE_OP) $(DECODE_DATA) $(DRIVER_SOURCE)/lib/
	@cp -u --preserve=timestamps type2/driver/Kbuild $(DRIVER_SOURCE)/Kbuild
	@sed 's/@VERSION@/$(VERSION)/' type2/driver/dkms.conf >$(DRIVER_SOURCE)/dkms.conf

$(LAB_HEADERS):
	lab/images headers

$(O)/dyad.ko: $(DRIVER_FILES) type2/driver/Kbuild type2/driver/dkms.conf $(DECODE_OP) | $(KDIR)
	@$(MAKE) --no-print-directory driver-source
	@$(MAKE) --no-print-directory -C $(KDIR) M=$(abspath $(DRIVER_SOURCE)) CC=$(DRIVER_CC) KCFLAGS=-Werror modules
	@cp $(DRIVER_SOURCE)/dyad.ko $@

# What gives the node what a monitor would and wouldn't: tests/driver/run takes it into the lab.
driver-tests: $(O)/dyad.ko $(O)/driver-tests/node
DRIVER_TESTS := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/driver/*.c))
$(O)/driver-tests/node: $(DRIVER_TESTS)
	@mkdir -p $(@D)
	@$(CC) $(HOSTED) $(CFLAGS) -o $@ $^

install-driver: driver-source
	install -d $(DESTDIR)$(DKMSDIR)
	cd $(DRIVER_SOURCE) && find . \( -name '*.[chS]' -o -name Kbuild -o -name dkms.conf -o -name VERSION \
		-o -name LICENSE \) ! -name '*.mod.c' -exec install -D -m 644 {} $(abspath $(DESTDIR)$(DKMSDIR))/{} \;

uninstall-driver:
	rm -rf $(DESTDIR)$(DKMSDIR)
