# Tests on real kernels, in QEMU guests. See tools/vmtest/doc.go.
#
#   make kernels                                   fetch the kernels that are missing
#   make test-kernel K=6.1 RUN=Linger PKG=./tracer one test on one kernel
#   make test-kernel K=6.12-rt MODES=bpf,fentry    a flavour: cloud (the default), rt or plain
#   make test-kernels PKG="./tracer ./bpf"         the packages on all kernels
#
# FILES="build/closetrace:/bin/closetrace" puts more files into the guest,
# VMFLAGS has more flags for vmtest, GOTESTFLAGS for go test. ARCH=arm64 needs
# qemu-system-arm and has the series 6.1 and 6.12 at least.

# Each of the series that Debian has, such as 6.19, and of its flavours can be K.
# 6.12.107 has another signature of tcp_send_active_reset than later 6.12.
KERNELS        ?= 5.10 6.1 6.12 6.12.107 7.2
# Also in the matrix; not in every test run, which has to end in time.
NEWEST         ?= 7.3
KERNEL_DIR     ?= $(CURDIR)/build/kernels
KERNEL_TIMEOUT ?= 20m
ARCH           ?= amd64
# Every kernel above offers all modes.
MODES          ?= bpf,fentry,kprobe
K              ?= 6.1
PKG            ?= ./tracer
RUN            ?= .
GOTESTFLAGS    ?=
FILES          ?=
VMFLAGS        ?=

VMTEST = $(CURDIR)/build/vmtest
empty :=
space := $(empty) $(empty)
comma := ,
fetch_kernels = $(VMTEST) fetch -dir $(KERNEL_DIR) -arch $(ARCH) -series $(subst $(space),$(comma),$(strip $(1))) -missing
# Cgo is off because a guest has no libraries. One package at a time: emulation
# takes a whole processor, and the limits in tests are for a guest that has one.
# A guest's settings may be changed for a moment by a scenario.
test_in_guest = CLOSETRACE_LAB_GLOBAL=1 CLOSETRACE_REQUIRE=$(MODES) CGO_ENABLED=0 $(CURDIR)/build/retest -- env GOARCH=$(ARCH) go test -p 1 -count=1 -timeout $(KERNEL_TIMEOUT) $(GOTESTFLAGS) -run '$(RUN)' \
	-exec "$(VMTEST) run -arch $(ARCH) -init $(VMTEST)-$(ARCH) -kernel $(KERNEL_DIR)/$(1) \
	$(foreach f,$(FILES),-file $(CURDIR)/$(f)) $(VMFLAGS)" $(PKG)

.PHONY: vmtest kernels test-kernel test-kernels

# Runs on the host and, built for the guest, in it. The go command knows best
# whether they are up to date.
vmtest:
	CGO_ENABLED=0 go build -o $(CURDIR)/build/retest ./tools/retest
	CGO_ENABLED=0 go build -o $(VMTEST) ./tools/vmtest
	CGO_ENABLED=0 GOARCH=$(ARCH) go build -o $(VMTEST)-$(ARCH) ./tools/vmtest

kernels: vmtest
	$(call fetch_kernels,$(KERNELS))

test-kernel: vmtest
	$(call fetch_kernels,$(K))
	$(call test_in_guest,$(K))

# All kernels run, two at a time, then any failure fails the target.
test-kernels: vmtest
	$(call fetch_kernels,$(KERNELS))
	@$(MAKE) --no-print-directory -k -j2 --output-sync=target $(addprefix test-on-,$(KERNELS))

test-on-%:
	@echo "=== kernel $*"
	@$(call test_in_guest,$*)
