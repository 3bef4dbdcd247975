# make run      build, and serve the sample library on 127.0.0.1:6969
# make test     the tests that need no root
# make help     the other targets

GO       ?= go
TOOL     := $(GO) tool -modfile=.tools/go.mod
FUZZTIME ?= 10s
RUNFLAGS ?=

# What tests need beyond Go: four TFTP clients, two TFTP servers, a boot ROM with a machine and a DHCP server for it, ip for network
# namespaces, servers of SSH and SNMP, promtool of prometheus, a browser, Wireshark for captures; and what generation needs, a
# compiler for BPF with its headers. Knot DNS is for make bench.
PACKAGES := atftp busybox chromium curl dnsmasq-base ethtool fonts-dejavu-core iproute2 ipxe-qemu kmod knot knot-dnsutils ldap-utils libsnmp-base libteam-utils mandoc mariadb-server mmdebstrap openssh-server openssl postgresql prometheus python3 qemu-system-x86 slapd snmp snmpd tftp-hpa tshark clang llvm libbpf-dev linux-libc-dev libcap2-bin systemd systemd-container tftpd-hpa

.PHONY: help run build generate test test-short test-root test-kernels race fuzz bce lint fmt bench benchgo benchcmp lanes soak attack package package-test deps vuln clean

help:
	@echo 'run        build, and serve testdata/library on 127.0.0.1:6969'
	@echo 'build      bin/dcs'
	@echo 'test       the tests that need no root, but those that take longest'
	@echo 'test-short the tests that take no time: without benchmarks, the built program, network namespaces, servers, browser and large libraries'
	@echo 'test-root  all tests, those that need root too: fails where make test skips; the kill matrix at 200 moments'
	@echo 'test-kernels Debian'\''s kernels in virtual machines: devices and transports; ONLY=veth,pulled chooses; needs qemu and apt-get'
	@echo 'race       all tests under the race detector, but those that drive the binary, which has none: the server runs in their process'
	@echo 'fuzz       each fuzz target for FUZZTIME ($(FUZZTIME))'
	@echo 'bench      the table of targets and what was measured; ONLY=render,storm measures pieces of it; needs root'
	@echo 'benchgo    all benchmarks of Go packages'
	@echo 'benchcmp   OLD=rev: benchmarks here against those of a commit; BENCH=, PKG= and COUNT= choose'
	@echo 'lanes      MD5 in lanes against none, at every batch size; needs root'
	@echo 'soak       ten minutes at 80 % of the limit: memory and latency stay flat; needs root'
	@echo 'attack     octets out per octet in, and what known modems get, under attacks from forged addresses; BEFORE=FILE compares; needs root'
	@echo 'package    bin/dcs_*.deb and bin/dcs-*.rpm, of VERSION ($(VERSION)) for ARCH ($(ARCH))'
	@echo 'package-test installs, runs, upgrades and removes the package in a Debian of its own; needs root'
	@echo 'lint       gofumpt, go vet and golangci-lint'
	@echo 'fmt        format with gofumpt'
	@echo 'generate   everything that is generated and committed'
	@echo 'bce        the bounds checks that remain in the hot packages'
	@echo 'vuln       known vulnerabilities in what we link; asks the Go vulnerability database'
	@echo 'deps       install what tests need: $(PACKAGES)'
	@echo 'clean      remove bin'

# In a terminal the server gets a process group of its own: Ctrl-C would reach make
# too, which then fails although the server has stopped cleanly.
run: build
	@if [ -t 0 ]; then set -m; ./bin/dcs serve --config testdata/dcs.yaml $(RUNFLAGS) & fg >/dev/null; \
	else exec ./bin/dcs serve --config testdata/dcs.yaml $(RUNFLAGS); fi

# That of .version in a release; see the script for builds between releases.
VERSION ?= $(shell cmd/dcs/packaging/version.sh)
LINK     = -X dcs/cmd/internal/version.linked=$(VERSION) -X dcs/cmd/internal/version.commit=$(shell cmd/dcs/packaging/version.sh commit)

# Without cgo the program is one static file, and starts sooner.
build:
	CGO_ENABLED=0 $(GO) build -ldflags '$(LINK)' -o bin/dcs ./cmd/dcs

ARCH         ?= $(shell $(GO) env GOARCH)
PACKAGERS    ?= deb rpm
PACKAGES_DIR ?= bin
NFPM         ?= cmd/dcs/packaging/nfpm.yaml

# The packages' files are in bin/package; "make package PACKAGERS=" makes only these. Stripped: 32 MB instead of 45.
package:
	rm -rf bin/package
	CGO_ENABLED=0 GOARCH=$(ARCH) $(GO) build -trimpath -ldflags '-s -w $(LINK)' -o bin/package/dcs ./cmd/dcs
	@mkdir -p $(PACKAGES_DIR)
	@export SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null)} VERSION=$(VERSION) ARCH=$(ARCH); \
	$(GO) run -tags docs ./cmd/dcs docs bin/package && gzip -9n bin/package/man/man*/* || exit; \
	for p in $(PACKAGERS); do $(TOOL) nfpm package -f $(NFPM) -p $$p -t $(PACKAGES_DIR) || exit; done

package-test:
	cmd/dcs/packaging/test/run.sh

generate:
	$(GO) generate ./...

# Tests of bench measure, and have the CPUs for themselves. The others wait more than they compute: more of them run side by side.
# go vet is lint's.
TESTFLAGS ?=
tests      = $(GO) test -vet=off -timeout 20m -parallel 2 $(1) $(TESTFLAGS) ./bench/... && \
             $(GO) test -vet=off -timeout 20m -parallel 4 $(1) $(TESTFLAGS) $$($(GO) list ./... | grep -v '^dcs/bench')

test:
	$(call tests)

test-short:
	$(GO) test -short -vet=off -parallel 4 -p 3 $(TESTFLAGS) $$($(GO) list ./... | grep -v '^dcs/bench')

test-root:
	@[ "$$(id -u)" = 0 ] || { echo 'make test-root: run it as root, as in: sudo -E make test-root' >&2; exit 1; }
	export DCS_REQUIRE_ROOT=1 DCS_REQUIRE_KERNEL=1 DCS_LONG=1; $(call tests)

# A whole run is kept; a part of it is only printed.
test-kernels: build
	$(GO) run ./bench/kernels -dcs bin/dcs $(if $(ONLY),-only '$(ONLY)',-o bench/results/kernels.md) $(KERNELFLAGS)

race:
	$(call tests,-race)

fuzz:
	.ci/fuzz $(FUZZTIME)

# A whole run is kept with what it was measured on; a part of it is only printed.
bench: build
	$(GO) run ./bench/table -dcs bin/dcs $(if $(ONLY),-only $(ONLY),-o bench/results/table.md -readme README.md) $(BENCHFLAGS)

benchgo:
	$(GO) test -run '^$$' -bench . -benchmem ./...

benchcmp:
	@BENCH='$(BENCH)' PKG='$(PKG)' COUNT='$(COUNT)' BENCHTIME='$(BENCHTIME)' bench/compare.sh '$(OLD)'

lanes: build
	$(GO) run ./bench/lanes -dcs bin/dcs -o bench/results/lanes.md $(BENCHFLAGS)

soak: build
	$(GO) run ./bench/soak -dcs bin/dcs -o bench/results/soak.md $(BENCHFLAGS)

attack: build
	$(GO) run ./bench/attack -dcs bin/dcs -o bench/results/attack.md $(if $(BEFORE),-before '$(BEFORE)') $(BENCHFLAGS)

lint:
	@unformatted=$$($(TOOL) gofumpt -l .); [ -z "$$unformatted" ] || { echo "make fmt would change:" $$unformatted >&2; exit 1; }
	$(GO) vet ./...
	$(GO) vet ./testdata
	$(TOOL) golangci-lint run

fmt:
	$(TOOL) gofumpt -w .

# Packages whose inner loops run for every packet.
HOT := ./fastpath/... ./render/md5x ./render/skeleton ./render

bce:
	@$(GO) build -gcflags=-d=ssa/check_bce/debug=1 $(HOT) 2>&1 | grep -v '^#' | sort -u || true

vuln:
	$(TOOL) govulncheck ./...

# Tests start the servers that they need: those of the machine stay off, unless they were there before. ("disable --now" does not stop
# those with a script of System V, such as slapd.)
deps:
	@missing=; for p in $(PACKAGES); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	[ -n "$$missing" ] || { echo 'deps: all there: $(PACKAGES)'; exit 0; }; \
	command -v apt-get >/dev/null || { echo "make deps: no apt-get here; install these by hand:$$missing" >&2; exit 1; }; \
	as=; if [ "$$(id -u)" != 0 ]; then \
		command -v sudo >/dev/null || { echo "make deps: run it as root; missing are:$$missing" >&2; exit 1; }; as=sudo; fi; \
	$$as apt-get update -q && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing || exit 1; \
	for s in knot:knot mariadb-server:mariadb mariadb-server:mariadb.socket openssh-server:ssh postgresql:postgresql prometheus:prometheus slapd:slapd snmpd:snmpd tftpd-hpa:tftpd-hpa; do case "$$missing " in *" $${s%:*} "*) \
		{ $$as systemctl disable $${s#*:} && $$as systemctl stop $${s#*:}; } >/dev/null 2>&1 || $$as service $${s#*:} stop >/dev/null 2>&1 || true;; esac; done

clean:
	rm -rf bin
