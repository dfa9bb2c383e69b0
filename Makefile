# closetrace; see CONTRIBUTING.md.
export CGO_ENABLED = 0
# sudo's path has not where go.dev installs Go.
export PATH := $(PATH):/usr/local/go/bin:/usr/lib/go-1.26/bin:/snap/bin
BIN = build/closetrace
VERSION ?=
GOLANGCI_LINT = v2.15.0
ACTIONLINT = v1.7.12
# What other kernels must show: verdicts, linger times, owners, each way to attach, and
# that the verifier has no more work than the last commit's table says.
IN_GUESTS = TestLab|TestLinger|TestSource|TestAcceptOwner|TestAttribution|TestVerifierStats
# The oldest and the newest, side by side; make test-kernels RUN='$(IN_GUESTS)' has them all,
# and is run before programs change.
CI_KERNELS = 5.10 7.2

.PHONY: has-go quiet run build cross generate check-generated check test test-all lint collector check-kubernetes agent-million agent-away agent-hosts wine bench bench-web public-captures judge-captures bench-captures captures-doc dist check-dist check-formulas check-install check-units clean

run: build          ## trace a demo workload (as root)
	$(BIN) demo

# The rest needs no check of its own: it builds, or is for those who have Go.
has-go:
	@command -v go >/dev/null || { echo "no go in $$PATH: install Go 1.26 from https://go.dev/dl" >&2; exit 1; }

build: has-go       ## build/closetrace; needs only Go
	go build -trimpath -ldflags "-s -w -X main.release=$(VERSION)" -o $(BIN) ./cmd/closetrace

cross:              ## compiles for every other system
	for t in linux/arm64 windows/amd64 windows/arm64 darwin/arm64; do \
		GOOS=$${t%/*} GOARCH=$${t#*/} go build -o /dev/null ./cmd/closetrace || exit 1; done

check: check-generated lint cross test-all ## generated files, lint, cross builds, all tests; with root also what traces this kernel

generate:           ## BPF objects (clang 14), decoder tables, documents
	go generate ./...

check-generated: generate ## fails if what is committed is stale
	git diff --exit-code --stat

# A test that fails runs again only if tools/retest/quarantine.txt names it.
RETEST = go run ./tools/retest

# What takes minutes: incidents with the real software, floods, installations.
LONG_PACKAGES = /internal/lab/incidents$$
LONG_TESTS = TestGoInstall|TestDocumentedCommands|TestTenQuestionsOnAContainerHost|TestHangupUnderShell|TestInstall|TestWine|TestServers

# One package at a time: they trace the same kernel and time it.
test: has-go        ## tests, a few minutes; as root also those that trace this kernel
	$(RETEST) -- go test -short -p 1 -timeout 10m -skip '^($(LONG_TESTS))' $$(go list ./... | grep -v '$(LONG_PACKAGES)')
	@[ "$$(id -u)" = 0 ] || echo "not root: tests that trace this kernel were skipped; run: sudo make test"
	@echo "left out: $(LONG_TESTS), what -short leaves out, and the incidents; run: make test-all; other kernels: make test-kernels"

test-all:           ## all tests on this kernel; of other kernels too if CLOSETRACE_REQUIRE has vm, as in CI
	@case "$$CLOSETRACE_REQUIRE" in *vm*) $(MAKE) kernels KERNELS='$(CI_KERNELS)';; esac
	$(RETEST) -- go test -p 1 -timeout 20m ./...
	@[ "$$(id -u)" = 0 ] || echo "not root: tests that trace this kernel were skipped; run: sudo make test-all"
	@case "$$CLOSETRACE_REQUIRE" in *vm*) $(MAKE) test-kernels KERNELS='$(CI_KERNELS)' RUN='$(IN_GUESTS)';; *) \
		echo "other kernels were not tested; run: make test-kernels (needs qemu-system-x86)";; esac

lint:               ## formatting, vet for three systems (golangci-lint does Linux), staticcheck (.golangci.yaml), workflows
	@test -z "$$(go tool gofumpt -l $$(git ls-files '*.go'))" || { go tool gofumpt -l $$(git ls-files '*.go'); exit 1; }
	for t in windows/amd64 darwin/arm64; do GOOS=$${t%/*} GOARCH=$${t#*/} go vet ./... || exit 1; done
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT) run ./...
	go run github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT)

collector:          ## build/collector, an OpenTelemetry Collector for the tests of closetrace agent
	cd tools/collector && go build -o $(CURDIR)/build/collector .

check-kubernetes:   ## manifests and chart: what helm makes, and against the types of the Kubernetes API
	cd tools/kubernetes && go build -o $(CURDIR)/build/helm/ helm.sh/helm/v3/cmd/helm .
	PATH=$(CURDIR)/build/helm:$$PATH CLOSETRACE_REQUIRE=helm go test -count=1 ./deploy
	for f in deploy/kubernetes/namespace.yaml deploy/kubernetes/daemonset.yaml deploy/kubernetes/names/access.yaml; do build/helm/kubernetes <$$f || exit 1; done
	build/helm/helm template closetrace deploy/helm/closetrace --set k8sAPI=true | build/helm/kubernetes

agent-million:      ## a million ends through that Collector, which is killed twice (needs prometheus)
	CLOSETRACE_ENDS=1000000 CLOSETRACE_REQUIRE=collector,prometheus CLOSETRACE_COLLECTOR=$(CURDIR)/build/collector \
		go test -count=1 -timeout 40m -run TestCollectorKilled -v ./internal/agent

agent-away:         ## the Collector is away for AWAY at 5,000 abnormal ends a second, then the spool is drained (as root)
	CLOSETRACE_AWAY=$(or $(AWAY),10m) go test -count=1 -timeout 60m -run TestCollectorAway -v ./cmd/closetrace

agent-hosts:        ## the streams of HOSTS hosts into that Collector, at rates that double
	CLOSETRACE_HOSTS=$(or $(HOSTS),1000) CLOSETRACE_REQUIRE=collector CLOSETRACE_COLLECTOR=$(CURDIR)/build/collector \
		go test -count=1 -timeout 20m -run TestManyHosts -v ./internal/agent

wine:               ## Debian 13 with Wine 10 in build/wine, for the tests of the Windows build
	cmd/closetrace/testdata/wine/prepare build/wine

quiet:              ## an hour of healthy traffic must raise no alarm (as root)
	CLOSETRACE_QUIET=1h go test -count=1 -timeout 70m -run TestQuiet -v ./internal/lab/incidents

captures-doc:        ## play the lab under tcpdump, and write what the captures say into docs/captures.md (as root)
	CLOSETRACE_CAPTURES=$(CURDIR)/docs/captures.md CGO_ENABLED=0 go test ./wire -run TestLab -count 1 -v

public-captures:     ## captures that the sources of Debian packages ndpi and tcpdump have: tshark judges them in the tests of wire
	tools/public-captures build/public-captures

judge-captures: public-captures ## tshark judges all of them, not only every fourth
	CLOSETRACE_JUDGE_ALL=1 CLOSETRACE_REQUIRE=captures go test ./wire/internal/flow -run TestJudge -count 1 -v

bench-captures: build ## a capture of 1 GiB: how fast it is read on one processor, and by tshark
	CLOSETRACE_GIB=$(CURDIR)/build/gib.pcap CGO_ENABLED=0 go test ./wire -run TestGiB -count 1 -v

bench: build        ## Go benchmarks, then docs/benchmarks.md: closetrace beside the tools that are installed (as root)
	go test -run '^$$' -bench . -benchmem ./...
	go build -o build/bench ./tools/bench
	build/bench run -closetrace $(BIN) -document docs/benchmarks.md -picture docs/img/benchmarks.svg

bench-web: build    ## requests a second of nginx beside each tracer (as root; nginx, haproxy, wrk, curl)
	go build -o build/bench ./tools/bench
	build/bench web -closetrace $(BIN)

dist:               ## build/dist: archives, packages, image, formulas (docs/install.md)
	cd tools/dist && go run . -out $(CURDIR)/build/dist $(if $(VERSION),-version $(VERSION))

check-dist:         ## the same commit gives the same bytes in another directory, NOTICE has every licence
	cd tools/dist && go test -count=1 .
	rm -rf build/dist-again && git clone -q . build/dist-again && cd build/dist-again/tools/dist && \
		go run . -out $(CURDIR)/build/dist-again/out $(if $(VERSION),-version $(VERSION))
	cmp build/dist/SHA256SUMS build/dist-again/out/SHA256SUMS
	diff -r build/dist/formulas build/dist-again/out/formulas && rm -rf build/dist-again

check-formulas:     ## Homebrew, Scoop, winget, AUR, Nix and krew by their linters and schemas (what it needs: tools/dist/check-formulas)
	tools/dist/check-formulas build/dist

check-install:      ## the packages in new Debian 12 and 13 roots, the unit (as root; debootstrap, rpm)
	tools/dist/check-install build/dist bookworm trixie

check-units: dist    ## both systemd units in a guest with systemd (as root; debootstrap, cpio, qemu-system-x86)
	$(MAKE) kernels KERNELS=6.1
	tools/dist/check-units build/dist/closetrace_*_amd64.deb build/kernels/6.1

clean:
	rm -rf build

-include tracer/tracer.mk
-include tui/pictures.mk
include tools/vmtest/kernels.mk
include tools/trust.mk
