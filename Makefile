# catena: build, check, demonstrate, install. POSIX make; `make help` lists the targets.
.POSIX:

PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
# Where svctl finds services by their names
SVDIR = /etc/service
# Where install-multicall puts the links to catena; packages use a folder of their own, as $(PREFIX)/libexec/catena
LINKDIR = $(BINDIR)
DESTDIR =
# In front of the name of every installed program and page, as x-chroot for PROGRAM_PREFIX=x-
PROGRAM_PREFIX =
# auto: static if this machine can, else dynamic with a note; yes: static or fail; no: dynamic
STATIC = auto
# What make demo runs, controls and logs services with; also runsv, sv and svlogd
SVRUN = svrun
SVCTL = svctl
SVLOG = svlog
# Where the built programs are put, and installed from
BUILD = target/catena

all:
	STATIC='$(STATIC)' BUILD='$(BUILD)' CATENA_SVDIR='$(SVDIR)' scripts/build

help:
	@echo 'make            build the programs into $(BUILD), and say which way (STATIC=auto, yes or no;'
	@echo '                SVDIR=/etc/service is where svctl will find services)'
	@echo 'make check      format, lints, tests, pages, scripts; the last line counts'
	@echo 'make demo       two services, visibly, in a scratch folder (SVRUN=runsv SVCTL=sv SVLOG=svlogd: under runit)'
	@echo 'make bench      what a link, a supervisor and a logger cost, beside the peers installed'
	@echo 'make install    what make built, and the pages (DESTDIR PREFIX BINDIR MANDIR PROGRAM_PREFIX)'
	@echo '                and completions for bash, zsh and fish (BASHDIR ZSHDIR FISHDIR)'
	@echo 'make install-multicall  instead: catena, and links to it (LINKDIR too)'
	@echo 'make install-runit-names  links to what is installed: runsv, sv and svlogd (BINDIR)'
	@echo 'make uninstall  all of it away again'
	@echo 'make dist       a tarball'
	@echo 'make clean      away with all that was built'

check:
	scripts/check

bench: all
	BUILD='$(BUILD)' cargo bench --locked --bench links --bench supervisors
	BUILD='$(BUILD)' cargo bench --locked --bench loggers

demo: all
	BUILD='$(BUILD)' SVRUN='$(SVRUN)' SVCTL='$(SVCTL)' SVLOG='$(SVLOG)' scripts/demo

install: built install-pages install-completions
	mkdir -p '$(DESTDIR)$(BINDIR)'
	for f in '$(BUILD)'/bin/*; do \
		d="$(DESTDIR)$(BINDIR)/$(PROGRAM_PREFIX)$${f##*/}"; \
		rm -f "$$d" && cp "$$f" "$$d" && chmod 755 "$$d" || exit 1; \
	done

# What is no link is not in catena: a file of its own.
install-multicall: built install-pages install-completions
	mkdir -p '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LINKDIR)'
	for f in '$(BUILD)'/bin/*; do \
		n=$${f##*/}; \
		if grep -q '::LINK);$$' "bins/main/$$n.rs"; then \
			d="$(DESTDIR)$(LINKDIR)/$(PROGRAM_PREFIX)$$n"; rm -f "$$d" && \
			ln -s "$$(scripts/relative '$(LINKDIR)' '$(BINDIR)')$(PROGRAM_PREFIX)catena" "$$d" || exit 1; \
		else \
			d="$(DESTDIR)$(BINDIR)/$(PROGRAM_PREFIX)$$n"; \
			rm -f "$$d" && cp "$$f" "$$d" && chmod 755 "$$d" || exit 1; \
		fi; \
	done

# A runsv, an sv or an svlogd that is not ours stays, and is an error.
install-runit-names:
	for n in runsv:svrun sv:svctl svlogd:svlog; do \
		t="$(PROGRAM_PREFIX)$${n#*:}"; d="$(DESTDIR)$(BINDIR)/$${n%:*}"; \
		if ! [ -e "$(DESTDIR)$(BINDIR)/$$t" ]; then \
			echo "there is no $$t in $(BINDIR): run make install first" >&2; exit 1; \
		fi; \
		[ "$$(readlink "$$d")" = "$$t" ] || ln -s "$$t" "$$d" || exit 1; \
	done

built:
	@test -d '$(BUILD)/bin' || { echo 'nothing is built yet: run make first' >&2; exit 1; }

install-pages:
	for f in man/*.[1578]; do \
		d="$(DESTDIR)$(MANDIR)/man$${f##*.}" && mkdir -p "$$d" && d="$$d/$(PROGRAM_PREFIX)$${f##*/}" && \
		cp "$$f" "$$d" && chmod 644 "$$d" || exit 1; \
	done

install-completions:
	for p in sissylog svctl svlog; do for n in "$(BASHDIR)/$$p.bash" "$(ZSHDIR)/_$$p" "$(FISHDIR)/$$p.fish"; do \
		f=$${n##*/}; d="$(DESTDIR)$${n%/*}" && mkdir -p "$$d" && \
		d="$$d/$$(echo "$$f" | sed "s|$$p|$(PROGRAM_PREFIX)$$p|")" && \
		sed -e 's|/etc/service|$(SVDIR)|' -e "/^#compdef/s| $$p| $(PROGRAM_PREFIX)$$p|" \
			-e "/^complete/s| $$p| $(PROGRAM_PREFIX)$$p|" "completions/$$f" >"$$d" && \
		chmod 644 "$$d" || exit 1; \
	done; done

uninstall:
	for f in bins/main/*.rs; do \
		n=$${f##*/}; n=$(PROGRAM_PREFIX)$${n%.rs}; \
		rm -f "$(DESTDIR)$(BINDIR)/$$n" "$(DESTDIR)$(LINKDIR)/$$n" || exit 1; \
	done
	for n in runsv:svrun sv:svctl svlogd:svlog; do \
		d="$(DESTDIR)$(BINDIR)/$${n%:*}"; \
		[ "$$(readlink "$$d")" != "$(PROGRAM_PREFIX)$${n#*:}" ] || rm -f "$$d" || exit 1; \
	done
	for p in sissylog svctl svlog; do \
		p="$(PROGRAM_PREFIX)$$p"; rm -f "$(DESTDIR)$(BASHDIR)/$$p.bash" "$(DESTDIR)$(ZSHDIR)/_$$p" \
			"$(DESTDIR)$(FISHDIR)/$$p.fish" || exit 1; \
	done
	for f in man/*.[1578]; do \
		rm -f "$(DESTDIR)$(MANDIR)/man$${f##*.}/$(PROGRAM_PREFIX)$${f##*/}" || exit 1; \
	done

dist:
	scripts/dist

clean:
	rm -rf target dist

.PHONY: all help check bench demo install install-multicall install-runit-names built install-pages install-completions uninstall dist clean
