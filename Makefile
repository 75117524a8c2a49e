# catena: build, check, demonstrate, install. POSIX make; `make help` lists the targets.
.POSIX:

PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
DESTDIR =
# In front of the name of every installed program and page, as x-chroot for PROGRAM_PREFIX=x-
PROGRAM_PREFIX =
# auto: static if this machine can, else dynamic with a note; yes: static or fail; no: dynamic
STATIC = auto
# Where the built programs are put, and installed from
BUILD = target/catena

all:
	STATIC='$(STATIC)' BUILD='$(BUILD)' scripts/build

help:
	@echo 'make            build the programs into $(BUILD), and say which way (STATIC=auto, yes or no)'
	@echo 'make check      format, lints, tests, pages, scripts; the last line counts'
	@echo 'make demo       a daemon under the promised chain, visibly, in a scratch folder'
	@echo 'make install    what make built, and the pages (DESTDIR PREFIX BINDIR MANDIR PROGRAM_PREFIX)'
	@echo 'make uninstall  the same away again'
	@echo 'make dist       a tarball'
	@echo 'make clean      away with all that was built'

check:
	scripts/check

demo: all
	BUILD='$(BUILD)' scripts/demo

install:
	@test -d '$(BUILD)/bin' || { echo 'nothing is built yet: run make first' >&2; exit 1; }
	mkdir -p '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man7'
	for f in '$(BUILD)'/bin/*; do \
		cp "$$f" "$(DESTDIR)$(BINDIR)/$(PROGRAM_PREFIX)$${f##*/}" && \
		chmod 755 "$(DESTDIR)$(BINDIR)/$(PROGRAM_PREFIX)$${f##*/}" || exit 1; \
	done
	for f in man/*.1 man/*.7; do \
		d="$(DESTDIR)$(MANDIR)/man$${f##*.}/$(PROGRAM_PREFIX)$${f##*/}" && \
		cp "$$f" "$$d" && chmod 644 "$$d" || exit 1; \
	done

uninstall:
	for f in man/*.1; do \
		n=$${f##*/}; rm -f "$(DESTDIR)$(BINDIR)/$(PROGRAM_PREFIX)$${n%.1}" || exit 1; \
	done
	for f in man/*.1 man/*.7; do \
		rm -f "$(DESTDIR)$(MANDIR)/man$${f##*.}/$(PROGRAM_PREFIX)$${f##*/}" || exit 1; \
	done

dist:
	scripts/dist

clean:
	rm -rf target dist

.PHONY: all help check demo install uninstall dist clean
