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
		`verdict = "x"`:                    "^",
		`nosuch == 1`:                      "nosuch",
		`process.pid`:                      "bool",
		`process.pid == "x"`:               "mismatched",
		`cidr(network.peer.address, "10")`: "", // only at run time: see Match
	} {
		_, err := model.CompileFilter(source)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", source, err)
			}
			continue
		}
		if !errors.Is(err, model.ErrFilter) || !strings.Contains(err.Error(), want) {
			t.Errorf("CompileFilter(%s): got %v, want ErrFilter with %q", source, err, want)
		}
	}
}
