# SPDX-License-Identifier: MIT
#
# make install: the command, the bare-metal runtime, manual and completion, into $(DESTDIR)$(PREFIX).
# Included by the Makefile; make uninstall takes away what it brought.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
# Where bin/dyad looks for what goes into bare-metal images: ../lib/dyad
RUNTIMEDIR ?= $(PREFIX)/lib/dyad
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

RUNTIME_FILES := $(patsubst %,$(O)/type1/%.elf,runtime monitor store switch console)

MAN_PAGES := $(wildcard docs/man/*.[1-8])
# docs/man/x.5 goes to man5/x.5
installed_man = $(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $(1)))/$(notdir $(1))

.PHONY: install uninstall
install: $(O)/dyad $(RUNTIME_FILES)
	install -D -m 755 $(O)/dyad $(DESTDIR)$(BINDIR)/dyad
	install -D -m 644 -t $(DESTDIR)$(RUNTIMEDIR) $(RUNTIME_FILES)
	$(foreach page,$(MAN_PAGES),install -D -m 644 $(page) $(call installed_man,$(page)) &&) true
	install -D -m 644 cli/completion/dyad.bash $(DESTDIR)$(COMPLETIONDIR)/dyad

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/dyad $(DESTDIR)$(COMPLETIONDIR)/dyad
	rm -f $(addprefix $(DESTDIR)$(RUNTIMEDIR)/,$(notdir $(RUNTIME_FILES)))
	rm -f $(foreach page,$(MAN_PAGES),$(call installed_man,$(page)))
