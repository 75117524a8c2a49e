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
LIBEXECDIR = $(PREFIX)/libexec
# The links are installed here, all beside one another: what has to be found before a base tool is found with this in front
# of PATH
LINKS = $(LIBEXECDIR)/catena
# Where their names are too, but for those of base tools; packages leave it at $(LINKS)
LINKDIR = $(BINDIR)
# The names that a base tool has as well; with BASE_NAMES=yes they are in LINKDIR like all others, in front of it in PATH.
# Those of other programs than links are in LINKS too. For packages that are installed beside others BASE=others is all names
# that another one has, of a program or a page
BASE = choom chroot chrt ionice nice taskset umask unshare
BASE_NAMES = no
# Where the names of runit's and daemontools' programs are, for PATH, and their pages: directories of their own, so that
# the packages can be there too; pages of names elsewhere, as in $(BINDIR), are in MANDIR
RUNITDIR = $(LINKS)/runit
DAEMONTOOLSDIR = $(LINKS)/daemontools
DESTDIR =
# In front of the name of every installed program and page, as x-chroot for PROGRAM_PREFIX=x-
PROGRAM_PREFIX =
# auto: static if this machine can, else dynamic with a note; yes: static or fail; no: dynamic
STATIC = auto
# yes: build what install-multicall installs alone, without the links that catena is too
MULTICALL = no
# The system to build for, as rustc names it; rustc's own, or CARGO_BUILD_TARGET, if it is empty
TARGET =
# What make demo runs, controls and logs services with; also svrun; runsv, sv and svlogd
SVRUN = svtree
SVCTL = svctl
SVLOG = svlog
# What make release makes beside the source
PARTS = x86_64 aarch64 notices sbom debs image
# Where the built programs are put, and installed from
BUILD = target/catena
INSTALL = @BUILD='$(BUILD)' DESTDIR='$(DESTDIR)' BINDIR='$(BINDIR)' LINKS='$(LINKS)' LINKDIR='$(LINKDIR)' \
	MANDIR='$(MANDIR)' BASHDIR='$(BASHDIR)' ZSHDIR='$(ZSHDIR)' FISHDIR='$(FISHDIR)' \
	PROGRAM_PREFIX='$(PROGRAM_PREFIX)' BASE='$(BASE)' BASE_NAMES='$(BASE_NAMES)' \
	RUNITDIR='$(RUNITDIR)' DAEMONTOOLSDIR='$(DAEMONTOOLSDIR)' scripts/install

all:
	STATIC='$(STATIC)' TARGET='$(TARGET)' MULTICALL='$(MULTICALL)' BUILD='$(BUILD)' CATENA_SVDIR='$(SVDIR)' scripts/build

help:
	@echo 'make            build the programs into $(BUILD), and say which way (STATIC=auto, yes or no; TARGET and'
	@echo '                RUSTFLAGS as for rustc; SVDIR=/etc/service is where svctl will find services)'
	@echo 'make check      format, lints, tests, pages, scripts; the last line counts'
	@echo 'make demo       a tree of services, visibly, in a scratch directory (SVRUN=runsv SVCTL=sv SVLOG=svlogd: under runit)'
	@echo 'make bench      what a link, a supervisor and a logger cost, beside the peers installed'
	@echo 'make install    what make built, and the pages (DESTDIR PREFIX BINDIR LIBEXECDIR MANDIR PROGRAM_PREFIX)'
	@echo '                and completions for bash, zsh and fish (BASHDIR ZSHDIR FISHDIR); the links are in'
	@echo '                $$(LIBEXECDIR)/catena, and their names in LINKDIR=$$(BINDIR) too, but for $(BASE),'
	@echo '                which a base tool has as well (BASE_NAMES=yes: these too; BASE=others, for packages: none'
	@echo '                that any other package has)'
	@echo 'make install-multicall  instead: catena, and links to it (MULTICALL=yes: make builds no more than that)'
	@echo 'make install-runit-names  links to what is installed by the names of runit, with pages: runsv, runsvdir, sv ...'
	@echo '                in RUNITDIR=$$(LIBEXECDIR)/catena/runit, for PATH'
	@echo 'make install-daemontools-names  the same for daemontools: svc, svstat, multilog, setuidgid ...'
	@echo '                in DAEMONTOOLSDIR=$$(LIBEXECDIR)/catena/daemontools'
	@echo 'make uninstall  all of it away again'
	@echo 'make html       the pages as HTML, with an index: $(BUILD)/html'
	@echo 'make dist       a tarball'
	@echo 'make release    all that a release consists of, into dist: see RELEASING.md; beside the source'
	@echo '                PARTS="$(PARTS)"'
	@echo 'make clean      away with all that was built'

check:
	scripts/check

bench: all
	BUILD='$(BUILD)' cargo bench --locked --bench links --bench supervisors --bench trees
	BUILD='$(BUILD)' cargo bench --locked --bench loggers --bench filters --bench logs

demo: all
	BUILD='$(BUILD)' SVRUN='$(SVRUN)' SVCTL='$(SVCTL)' SVLOG='$(SVLOG)' scripts/demo

install: built
	$(INSTALL) programs pages completions

install-multicall: built
	$(INSTALL) multicall pages completions

# A program or a page by one of the names that is not ours stays, and is an error.
install-runit-names: built
	$(INSTALL) runit-names

install-daemontools-names: built
	$(INSTALL) daemontools-names

install-pages: built
	$(INSTALL) pages

install-completions: built
	$(INSTALL) completions

uninstall:
	$(INSTALL) uninstall

built:
	@test -d '$(BUILD)/bin' || { echo 'nothing is built yet: run make first' >&2; exit 1; }

html:
	@BUILD='$(BUILD)' scripts/html

dist:
	scripts/dist

release:
	PARTS='$(PARTS)' scripts/release

clean:
	rm -rf target dist

# make -j all install: one after the other, as they are written
.NOTPARALLEL:

.PHONY: all help check bench demo install install-multicall install-runit-names install-daemontools-names \
	install-pages install-completions built uninstall html dist release clean
