package model_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

func filterRecord() *model.Record {
	t := model.Teardown{Judgement: model.Judgement{Verdict: model.Abortive, Cause: model.CauseUnreadData}}
	t.Process = model.Process{PID: 812, Name: "nginx"}
	t.Network.Peer = model.Endpoint{Address: netip.MustParseAddr("10.1.2.3"), Port: 443}
	t.TCP.Bytes.Unread = model.Some[uint64](512)
	t.Duration = model.Some(2 * time.Second)
	return &model.Record{Kind: model.KindTeardown, Teardown: t}
}

func TestFilterMatch(t *testing.T) {
	for source, want := range map[string]bool{
		``:                      true,
		`verdict == "abortive"`: true,
		`verdict == "graceful"`: false,
		`tcp.bytes.unread > 0 && process.name == "nginx"`:   true,
		`tcp.bytes.unacked == 0`:                            false, // not known is not zero
		`tcp.bytes.unacked == -1`:                           true,
		`cidr(network.peer.address, "10.0.0.0/8")`:          true,
		`cidr(network.peer.address, "192.168.0.0/16")`:      false,
		`cidr(network.peer.address, "::ffff:10.0.0.0/104")`: true,
		`cidr(network.peer.address, "::ffff:11.0.0.0/104")`: false,
		`cidr(network.peer.address, "::/0")`:                false, // of IPv6
		`cidr(network.peer.address, "::ffff:10.1.2.3/128")`: true,
		`cidr(network.peer.address, "::ffff:0.0.0.0/96")`:   true, // all of IPv4
		`cidr("2001:db8::1", "2001:db8::/32")`:              true,
		`cidr(network.local.address, "10.0.0.0/8")`:         false, // not known
		`network.peer.port in [80, 443]`:                    true,
		`process.name matches "^ng"`:                        true,
		`duration_ns > 1e9`:                                 true,
	} {
		f, err := model.CompileFilter(source)
		if err != nil {
			t.Errorf("CompileFilter(%s): %v", source, err)
			continue
		}
		if got := f.Match(filterRecord()); got != want {
			t.Errorf("%s: got %v, want %v", source, got, want)
		}
	}
}

func TestNoFilter(t *testing.T) {
	var f *model.Filter
	if f.String() != "" || f.Failed() != nil || !f.Match(filterRecord()) {
		t.Errorf("got %q, %v: want that all match", f, f.Failed())
	}
	f, err := model.CompileFilter("true")
	if err != nil || f.String() != "true" {
		t.Errorf("got %q, %v", f, err)
	}
}

func TestFilterPassesWhatIsNoConnection(t *testing.T) {
	f, err := model.CompileFilter(`verdict == "graceful"`)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []model.Kind{model.KindStart, model.KindLoss, model.KindStop} {
		if !f.Match(&model.Record{Kind: kind}) {
			t.Errorf("%v was filtered out", kind)
		}
	}
}

func TestFilterAsksVerdictsOfEndsOnly(t *testing.T) {
	for source, want := range map[string]bool{
		`verdict == "unknown"`: false, `cause == "unknown"`: false, `confidence == "unknown"`: false,
		`initiator == "unknown" || terminator == "unknown"`: false, `verdict != "graceful"`: true,
	} {
		f, err := model.CompileFilter(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []model.Kind{model.KindStray, model.KindCloseFailed} {
			if got := f.Match(&model.Record{Kind: kind}); got != want {
				t.Errorf("%s of %v: got %v", source, kind, got)
			}
		}
		if got := f.Match(&model.Record{Kind: model.KindTeardown}); !got {
			t.Errorf("%s of a teardown: got %v", source, got)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for source, want := range map[string]string{
		`verdict = "x"`:                    "filter: write == to compare (1:9)\n | verdict = \"x\"\n | ........^",
		`linger.on &`:                      "filter: write && for and, || for or (1:11)\n | linger.on &\n | ..........^",
		`linger.on |`:                      "filter: write && for and, || for or (1:11)\n | linger.on |\n | ..........^",
		`linger.on && `:                    "filter: the expression ends too early (1:13)\n | linger.on && \n | ............^",
		`process.pid`:                      "filter: expected bool, but got int; compare it with something, as in process.pid == 812",
		`process.pid == "x"`:               "filter: invalid operation: == (mismatched types int and string) (1:13)\n | process.pid == \"x\"\n | ............^",
		`tcp.bytes == 1`:                   "filter: invalid operation: == (mismatched types tcp.bytes{sent, received, unsent, unacked, unread, retransmitted} and int) (1:11)\n | tcp.bytes == 1\n | ..........^",
		`tcp.rst`:                          "filter: expected bool, but got tcp.rst{sent, received, reason}; compare it with something, as in process.pid == 812",
		`tcp.fin && true`:                  "filter: invalid operation: && (mismatched types tcp.fin{sent, received} and bool) (1:9)\n | tcp.fin && true\n | ........^",
		`cidr(network.peer.address, "10")`: "filter: \"10\" is not a network such as 10.0.0.0/8 or 10.0.0.9/32 (1:28)\n | cidr(network.peer.address, \"10\")\n | ...........................^",
	} {
		_, err := model.CompileFilter(source)
		if !errors.Is(err, model.ErrFilter) || err.Error() != want {
			t.Errorf("CompileFilter(%s):\n got %v\nwant %s", source, err, want)
		}
	}
}

// TestFilterErrorsNameFields: a name that is none is told as it was written, with
// those that may have been meant.
func TestFilterErrorsNameFields(t *testing.T) {
	const fields = "; the fields are time, id, verdict, cause, initiator, terminator, confidence, confidence_reason, rule, close_blocked_ns, peer_cause, network, process, acceptor, closer, signalled, container, k8s, cgroup, systemd, tcp, peer_end, peer_process, linger, duration_ns"
	for source, want := range map[string]string{
		`port == 443`:               "no field port: did you mean network.local.port or network.peer.port? (1:1)",
		`pid == 1`:                  "no field pid: did you mean process.pid or acceptor.pid or closer.pid? (1:1)",
		`duration > 5`:              "no field duration: did you mean duration_ns? (1:1)",
		`tcpbytes == 1`:             "no field tcpbytes: did you mean tcp.bytes? (1:1)",
		`process.unred > 0`:         "no field process.unred: did you mean tcp.bytes.unread? (1:9)",
		`Verdict == "silent"`:       "no field Verdict: did you mean verdict? (1:1)",
		`lingr.on`:                  "no field lingr: did you mean linger? (1:1)",
		`true && linger.nosuch`:     "no field linger.nosuch: linger has on, seconds, outcome (1:16)",
		`tcp.bytes.unred > 0`:       "no field tcp.bytes.unred: did you mean tcp.bytes.unread? (1:11)",
		`network.peer.ip == "::1"`:  "no field network.peer.ip: network.peer has address, port (1:14)",
		`verdict == abortive`:       `no field abortive (a text needs quotes: "abortive")` + fields + " (1:12)",
		`now().Unix() > 5`:          "unknown name now (1:1)",
		`let pid = 1; pid == procs`: `no field procs (a text needs quotes: "procs")` + fields + " (1:21)",
	} {
		_, err := model.CompileFilter(source)
		if !errors.Is(err, model.ErrFilter) {
			t.Errorf("CompileFilter(%s): %v", source, err)
			continue
		}
		got, _, _ := strings.Cut(err.Error(), "\n")
		if got != "filter: "+want {
			t.Errorf("CompileFilter(%s):\n got %s\nwant filter: %s", source, got, want)
		}
	}
}

// TestFilterByTime: the time is a text as recordings have it, and parts of it compare.
func TestFilterByTime(t *testing.T) {
	r := model.Record{Kind: model.KindTeardown}
	if err := r.Teardown.Time.UnmarshalText([]byte("2026-11-20T17:23:00.5Z")); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]bool{
		`time >= "2026-11-20T17:23"`:                                          true,
		`time < "2026-11-20T17:23:00.500000Z"`:                                false,
		`time == "2026-11-20T17:23:00.500000Z"`:                               true,
		`time >= "2026-11-20T17:24"`:                                          false,
		`time > "2026-11-20" && time < "2026-11-21" && verdict != "graceful"`: true,
	} {
		f, err := model.CompileFilter(source)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Match(&r); got != want {
			t.Errorf("%s: got %v, want %v", source, got, want)
		}
	}
}
