package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// documented has every command of README.md and docs/install.md: as a shell runs it here,
// in a folder with the recordings a.jsonl and b.jsonl, or after "not: " which test runs
// it instead, or why none can.
var documented = map[string]string{
	"closetrace":                                     "timeout -s INT 2 closetrace --plain",
	"closetrace live":                                "timeout -s INT 2 closetrace live --plain",
	"closetrace -- COMMAND":                          "closetrace -- true",
	"closetrace --pid N":                             "sleep 5 & closetrace --pid $!",
	"closetrace record -o FILE":                      "timeout -s INT 2 closetrace record -o file.jsonl.zst",
	"closetrace replay FILE":                         "closetrace replay a.jsonl | grep -q VERDICT",
	"closetrace summary FILE":                        "closetrace summary a.jsonl | grep -q abortive",
	"closetrace diagnose FILE":                       "closetrace diagnose a.jsonl",
	"closetrace report FILE -o PAGE.html":            "closetrace report a.jsonl -o page.html && grep -qi '<html' page.html",
	"closetrace join A B...":                         "closetrace join a.jsonl b.jsonl",
	"closetrace anonymize FILE -o PUBLIC":            "closetrace anonymize a.jsonl -o public.jsonl",
	"closetrace annotate CAPTURE OUTPUT --with FILE": "timeout -s INT 1 tcpdump -U -i lo -w capture.pcap; closetrace annotate capture.pcap out.pcapng --with a.jsonl",
	"closetrace diff BEFORE AFTER":                   "closetrace diff a.jsonl b.jsonl",
	"closetrace explain CAUSE":                       "closetrace explain peer-reset | grep -q RST",
	"closetrace list":                                "closetrace list",
	"closetrace kill":                                "closetrace kill --filter 'network.local.port == 1 && network.peer.port == 1' --yes; test $? = 0 -o $? = 1",
	"closetrace doctor":                              "closetrace doctor",
	"closetrace doctor --cost":                       "closetrace doctor --cost --duration 1s",
	"closetrace agent":                               "timeout -s INT 2 closetrace agent --metrics-listen 127.0.0.1:0",
	"closetrace demo":                                "closetrace demo --plain | grep -q linger-zero",
	"ssh HOST closetrace record":                     "not: needs a second host; TestHangup takes the terminal away instead",
	"cidr(network.peer.address, \"10.0.0.0/8\")":     "closetrace replay a.jsonl --filter 'cidr(network.peer.address, \"10.0.0.0/8\")'",
	`sudo closetrace --filter 'verdict == "abortive" && tcp.bytes.unread > 0 && process.name == "nginx"'`:           `timeout -s INT 2 closetrace --plain --filter 'verdict == "abortive" && tcp.bytes.unread > 0 && process.name == "nginx"'`,
	`sudo closetrace record -o - | jq -c 'select(.cause == "peer-reset") | [.process.name, .network.peer.address]'`: `timeout -s INT 2 closetrace record -o - | jq -c 'select(.cause == "peer-reset") | [.process.name, .network.peer.address]'`,

	"curl -fLo closetrace https://github.com/closetrace/closetrace/releases/latest/download/closetrace-linux-amd64 && chmod +x closetrace && sudo ./closetrace": "not: make check-install runs that file; the address needs a published release",

	"skopeo copy --all oci-archive:closetrace-VERSION-oci.tar docker://REGISTRY/closetrace:VERSION":    "not: make check-install, into another storage",
	"base=https://github.com/closetrace/closetrace/releases/latest/download":                           "not: needs a published release",
	"curl -fLO $base/closetrace-linux-amd64 -fLO $base/SHA256SUMS -fLO $base/SHA256SUMS.sigstore.json": "not: needs a published release",
	"cosign verify-blob --bundle SHA256SUMS.sigstore.json --certificate-identity-regexp '^https://github.com/closetrace/closetrace/.github/workflows/release.yml@refs/tags/v' --certificate-oidc-issuer https://token.actions.githubusercontent.com SHA256SUMS": "not: only a published release is signed",

	"git clone https://github.com/closetrace/closetrace && cd closetrace": "not: make check-dist clones this repository",
	"sudo make run":                     "not: demo is run above, the build by make check-dist",
	"sudo make test":                    "not: this is make test",
	"sudo groupadd --system closetrace": "not: TestGroupOfUse, with a group of its own",
	"sudo install -o root -g closetrace -m 0750 build/closetrace /usr/local/bin/closetrace": "not: TestGroupOfUse",
	"sudo setcap cap_bpf,cap_perfmon,cap_net_admin=ep /usr/local/bin/closetrace":            "not: TestGroupOfUse",
	`sudo usermod -aG closetrace "$USER"`:                                                   "not: make check-install, for the user member",
	"sudo usermod -aG closetrace alice":                                                     "not: make check-install, for the user member",
	"tar xzf closetrace-VERSION-linux-amd64.tar.gz":                                         "not: make check-install",
	"sudo ./closetrace-VERSION/closetrace":                                                  "not: make check-install",
	"sha256sum -c --ignore-missing SHA256SUMS":                                              "not: make check-install",
	"apt install ./closetrace_VERSION_amd64.deb":                                            "not: make check-install, in Debian 12 and 13",
	"dnf install ./closetrace-VERSION-1.x86_64.rpm":                                         "not: make check-install takes rpm; there is no root with dnf",
	"zypper install --allow-unsigned-rpm ./closetrace-VERSION-1.x86_64.rpm":                 "not: make check-install takes rpm; there is no root of SUSE",
	"apk add --allow-untrusted ./closetrace_VERSION_x86_64.apk":                             "not: there is no root of Alpine",
	"pacman -U ./closetrace-VERSION-1-x86_64.pkg.tar.zst":                                   "not: make check-install, with pacman; there is no root of Arch",
	"systemctl enable --now closetrace":                                                     "not: needs systemd as process 1; make check-units enables it in a guest",
	"go install github.com/closetrace/closetrace/cmd/closetrace@latest":                     "not: TestGoInstall builds it that way from here; @latest needs the published module",
	`sudo "$(go env GOPATH)/bin/closetrace"`:                                                "not: TestGoInstall",
	"closetrace kubectl NODE\\|POD":                                                         "not: TestScript/kubectl, with a stand-in for kubectl; needs a cluster",
	"closetrace kubectl node-7":                                                             "not: TestScript/kubectl",
	"kubectl krew install --manifest=closetrace.krew.yaml":                                  "not: make check-formulas, from the archive",
	"kubectl closetrace node-7":                                                             "not: TestScript/kubectl",
	"kubectl closetrace pod/checkout-5d9f -n shop -o incident.jsonl --duration 60s":         "not: TestScript/kubectl",
	"make check-units":    "not: an emulator takes minutes for it",
	"make dist":           "not: make check-dist compares with it",
	"make check-dist":     "not: CI",
	"make check-formulas": "not: CI",
	"make check-install":  "not: CI",
}

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	command  = regexp.MustCompile(`^(sudo |closetrace( |$)|ssh HOST|cidr\(|git |make |curl |tar |sha256sum |cosign |apt |dnf |zypper |apk |pacman |skopeo |systemctl |go install)`)
)

// commandsOf returns the indented lines of a document and the code in its text that begin
// like a command. The program's name alone is a command only in tables.
func commandsOf(text string) (found []string) {
	for line := range strings.Lines(text) {
		if code, indented := strings.CutPrefix(line, "    "); indented {
			code, _, _ = strings.Cut(code, "  ") // a remark follows
			found = append(found, strings.TrimSpace(code))
			continue
		}
		for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
			if command.MatchString(span[1]) && (span[1] != "closetrace" || strings.HasPrefix(line, "| `closetrace`")) {
				found = append(found, span[1])
			}
		}
	}
	return found
}

// TestDocumentedCommands runs what README.md and docs/install.md show.
func TestDocumentedCommands(t *testing.T) {
	needCapabilities(t)
	folder := t.TempDir()
	path := program(t)
	shell := func(script string) result {
		c := exec.Command("bash", "-c", script)
		c.Dir = folder
		c.Env = append(os.Environ(), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"), "TERM=dumb")
		return runProgram(t, c)
	}
	unread := maps.Clone(documented)
	var found []string
	for _, name := range []string{"README.md", "docs/install.md"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Skipf("the documents are not here: %v", err) // in a guest
		}
		found = append(found, commandsOf(string(text))...)
	}
	if r := shell("closetrace record -o a.jsonl 2>/dev/null & sleep 1; closetrace demo --plain >/dev/null; kill -INT $!; wait; cp a.jsonl b.jsonl"); r.code != 0 {
		t.Fatalf("record the demo: exit %d: %s", r.code, r.errors)
	}
	for _, line := range found {
		script, known := documented[line]
		if !known {
			t.Errorf("%q is in no line of documented", line)
		}
		if _, first := unread[line]; !first || strings.HasPrefix(script, "not: ") {
			delete(unread, line)
			continue
		}
		delete(unread, line)
		t.Run(line, func(t *testing.T) {
			for _, tool := range []string{"jq"} {
				if _, err := exec.LookPath(tool); err != nil && strings.Contains(script, tool+" ") {
					t.Skip(err)
				}
			}
			if r := shell(script); r.code != 0 && (r.code != 124 || !strings.HasPrefix(script, "timeout")) {
				t.Errorf("%s: exit %s: %s%s", script, strconv.Itoa(r.code), r.out, r.errors)
			}
		})
	}
	for line := range unread {
		t.Errorf("%q is in no document any more", line)
	}
}
