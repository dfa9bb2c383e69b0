# What trust rests on, beside make check: fuzzing, known vulnerabilities, a long run.
FUZZTIME ?= 10s
SOAK ?= 1h
GOSEC = v2.29.0
GOVULNCHECK = v1.2.0

.PHONY: fuzz modules vulnerabilities security soak

# Without a bound some targets stand still while they minimize what they found.
fuzz:               ## every decoder, sink and filter for FUZZTIME each
	@grep -rl --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' "$$file"); do \
			echo "$$(dirname "$$file") $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$(dirname "$$file")" || exit 1; \
		done; done

modules:            ## dependencies are what go.sum says
	go mod verify

vulnerabilities:    ## known ones in what is called (needs https://vuln.go.dev)
	go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK) ./...

soak:               ## SOAK long: floods, an adversary, a reader that stops; nothing may go uncounted (as root)
	CLOSETRACE_SOAK=$(SOAK) go test -count=1 -timeout 0 -run '^TestSoak$$' -v ./tracer
