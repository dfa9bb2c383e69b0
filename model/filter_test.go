package model_test

import (
	"errors"
	"net/netip"
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
		`tcp.bytes.unread > 0 && process.name == "nginx"`: true,
		`tcp.bytes.unacked == 0`:                          false, // not known is not zero
		`tcp.bytes.unacked == -1`:                         true,
		`cidr(network.peer.address, "10.0.0.0/8")`:        true,
		`cidr(network.peer.address, "192.168.0.0/16")`:    false,
		`cidr(network.local.address, "10.0.0.0/8")`:       false, // not known
		`network.peer.port in [80, 443]`:                  true,
		`process.name matches "^ng"`:                      true,
		`duration_ns > 1e9`:                               true,
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

func TestFilterErrors(t *testing.T) {
	for source, want := range map[string]string{
		`verdict = "x"`:                    "filter: unexpected token Operator(\"=\") (1:9)\n | verdict = \"x\"\n | ........^",
		`nosuch == 1`:                      "filter: unknown name nosuch (1:1)\n | nosuch == 1\n | ^",
		`process.pid`:                      "filter: expected bool, but got int",
		`process.pid == "x"`:               "filter: invalid operation: == (mismatched types int and string) (1:13)\n | process.pid == \"x\"\n | ............^",
		`tcp.bytes == 1`:                   "filter: invalid operation: == (mismatched types tcp.bytes{sent, received, unsent, unacked, unread} and int) (1:11)\n | tcp.bytes == 1\n | ..........^",
		`linger.nosuch`:                    "filter: type linger{on, seconds, outcome} has no field nosuch (1:8)\n | linger.nosuch\n | .......^",
		`tcp.rst`:                          "filter: expected bool, but got tcp.fin or tcp.rst{sent, received, reason}",
		`tcp.fin && true`:                  "filter: invalid operation: && (mismatched types tcp.fin or tcp.rst{sent, received, reason} and bool) (1:9)\n | tcp.fin && true\n | ........^",
		`cidr(network.peer.address, "10")`: "filter: \"10\" is no network such as 10.0.0.0/8 or 10.0.0.9/32 (1:28)\n | cidr(network.peer.address, \"10\")\n | ...........................^",
		`duration > 5`:                     "filter: unknown name duration (1:1)\n | duration > 5\n | ^",
		`now().Unix() > 5`:                 "filter: unknown name now (1:1)\n | now().Unix() > 5\n | ^",
	} {
		_, err := model.CompileFilter(source)
		if !errors.Is(err, model.ErrFilter) || err.Error() != want {
			t.Errorf("CompileFilter(%s):\n got %v\nwant %s", source, err, want)
		}
	}
}
