# What the tracer is measured by. See tools/vmtest/kernels.mk for the kernels.
#
#   make verifier-stats                instructions per program on this kernel
#   make verifier-stats K=6.12         the same in a guest, with all modes
#   make verifier-table                tracer/testdata/verifier.txt from all kernels and this one
#   make lab-again                     the whole lab 20 times in a row
#   make lab-again N=3 BUSY=4 K=6.12   3 times, beside 4 busy processes, in a guest
#   make matrix                        docs/matrix.md from all kernels and this one
#   make matrix-of K=6.12 ARCH=arm64   the columns of one kernel in it (qemu-system-arm)
#   make captures                      the recorded messages that tests play again

.PHONY: verifier-stats verifier-table lab-again matrix matrix-of captures

verifier-stats:
ifeq ($(origin K),command line)
	$(MAKE) test-kernel K=$(K) PKG=./tracer RUN=TestVerifierStats GOTESTFLAGS=-v
else
	go test ./tracer -count=1 -run TestVerifierStats -v
endif

VERIFIER = $(CURDIR)/build/verifier

verifier-table: vmtest
	rm -rf $(VERIFIER) && mkdir -p $(VERIFIER)
	CLOSETRACE_VERIFIER=$(VERIFIER)/host go test ./tracer -count=1 -run TestVerifierStats
	set -e; for k in $(KERNELS); do \
		CLOSETRACE_VERIFIER=/tmp/verifier $(MAKE) test-kernel K=$$k PKG=./tracer RUN=TestVerifierStats \
			VMFLAGS="-get /tmp/verifier:$(VERIFIER)/$$k"; \
	done
	cat $(VERIFIER)/* | LC_ALL=C sort -u -V >tracer/testdata/verifier.txt

N ?= 20
BUSY ?= 0

lab-again:
ifeq ($(origin K),command line)
	CLOSETRACE_BUSY=$(BUSY) $(MAKE) test-kernel K=$(K) PKG=./tracer RUN='^TestLab$$' GOTESTFLAGS='-count=$(N) -v'
else
	CLOSETRACE_BUSY=$(BUSY) go test ./tracer -timeout 30m -run '^TestLab$$' -count=$(N) -v
endif

MATRIX = $(CURDIR)/build/matrix

# Of arm64, whose emulation is slow: an hour and more where amd64 takes minutes.
ARM64 ?= 6.12

# Each kernel's lines come out of its guest; what is wrong there is in the document.
play = CLOSETRACE_MATRIX=/tmp/matrix.json $(MAKE) test-kernel ARCH=$(1) K=$(2) PKG=./tracer RUN='^TestLab$$$$' KERNEL_TIMEOUT=2h \
	VMFLAGS="-get /tmp/matrix.json:$(MATRIX)/$(2)-$(1).json" || test -s $(MATRIX)/$(2)-$(1).json
write = CLOSETRACE_MATRIX_FILES='$(MATRIX)/*.json' CLOSETRACE_MATRIX_DOC=$(CURDIR)/docs/matrix.md \
	go test ./tracer -count=1 -run '^TestMatrix$$'

matrix:
	rm -rf $(MATRIX) && mkdir -p $(MATRIX)
	CLOSETRACE_MATRIX=$(MATRIX)/host.json go test ./tracer -count=1 -run '^TestLab$$'
	set -e; for k in $(KERNELS) $(NEWEST); do $(call play,amd64,$$k); done
	set -e; for k in $(ARM64); do $(call play,arm64,$$k); done
	$(write)

matrix-of:
	rm -rf $(MATRIX) && mkdir -p $(MATRIX)
	$(call play,$(ARCH),$(K))
	CLOSETRACE_MATRIX_KEEP=1 $(write)

# One guest before the reasons of resets and without them, one with.
captures: vmtest
	set -e; for k in 5.10 6.12; do for mode in fentry tracepoint; do \
		CLOSETRACE_CAPTURE=/tmp/capture $(MAKE) test-kernel K=$$k PKG=./tracer RUN=TestLab/$$mode \
			VMFLAGS="-get /tmp/capture-$$mode.json.gz:$(CURDIR)/tracer/testdata/captures/cap-$$k-$$mode.json.gz"; \
	done; done
