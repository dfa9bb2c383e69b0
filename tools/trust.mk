# What trust rests on, beside make check: fuzzing, known vulnerabilities, a long run.
FUZZTIME ?= 10s
SOAK ?= 1h
RATE ?= 20000
GOSEC = v2.29.0
GOVULNCHECK = v1.2.0

.PHONY: fuzz modules vulnerabilities security soak soak-ci live-memory many-sockets

fuzz:               ## every decoder, sink and filter for FUZZTIME each
	@tools/fuzz $(FUZZTIME)

modules:            ## dependencies are what go.sum says
	go mod verify

vulnerabilities:    ## known ones in what is called (needs https://vuln.go.dev)
	go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK) ./...

# Every rule of gosec. tools/gosec.rules has the paths where one does not hold, each with
# its reason; what else gosec finds is mended, or the line says why it is right.
security:           ## gosec, with every rule
	go run github.com/securego/gosec/v2/cmd/gosec@$(GOSEC) -quiet -exclude-generated \
		-exclude-rules="$$(sed -n 's/^\([^# ]*:[A-Z0-9,]*\) .*/\1/p' tools/gosec.rules | paste -sd ';')" \
		./cmd/... ./internal/... ./tracer/... ./model/... ./tui/... ./etwsrc/... ./wire/... ./deploy/... ./bpf/...

soak:               ## SOAK long, RATE ends a second: floods, an adversary, a reader that stops; nothing may go uncounted (as root)
	CLOSETRACE_SOAK=$(SOAK) CLOSETRACE_SOAK_RATE=$(RATE) go test -count=1 -timeout 0 -run '^TestSoak$$' -v ./tracer

soak-ci:            ## two minutes of it, at a rate for two processors, or at what a busy machine makes (CI does it)
	CLOSETRACE_SOAK_BUSY=1 $(MAKE) soak SOAK=2m RATE=4000

live-memory:        ## the memory of live at full speed for a minute, then for 10 minutes at 5,000 ends a second (as root)
	CLOSETRACE_LIVE=1m go test -count=1 -run '^TestMemoryOfLive$$' -v ./cmd/closetrace
	CLOSETRACE_LIVE=10m CLOSETRACE_LIVE_RATE=5000 go test -count=1 -timeout 15m -run '^TestMemoryOfLive$$' -v ./cmd/closetrace

many-sockets:       ## 80,000 open sockets: the memory of record and its helpers (as root)
	CLOSETRACE_MANY_SOCKETS=1 go test -count=1 -run '^TestMemoryOfManySockets$$' -v ./cmd/closetrace
