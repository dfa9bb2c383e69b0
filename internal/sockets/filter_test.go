package sockets

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

func dumpOf(c Conn) string { return fmt.Sprintf("%+v", c) }

func sample() []Conn {
	a := open(model.Established, unread(512))
	a.ID, a.Network = "1-a", model.Network{Local: model.Endpoint{Address: local4.Addr(), Port: 443}, Peer: model.Endpoint{Address: peer4.Addr(), Port: 51034}, NetNS: 1}
	a.Process.Name, a.Process.PID = "nginx", 812
	b := open(model.Listen, nil)
	b.ID, b.Network = "1-b", model.Network{Local: model.Endpoint{Address: local4.Addr(), Port: 80}, NetNS: 1}
	c := open(model.CloseWait, unread(7))
	c.ID = "1-c"
	all := []Conn{a, b, c}
	for i := range all {
		all[i].OnClose = Predict(&all[i])
	}
	return all
}

func TestFilter(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"", "1-a 1-b 1-c"},
		{`state == "ESTABLISHED"`, "1-a"},
		{`tcp.bytes.unread > 0`, "1-a 1-c"},
		{`process.name == "nginx" && network.local.port == 443`, "1-a"},
		{`cidr(network.peer.address, "10.0.0.0/8")`, "1-a"},
		{`on_close.effect == "reset" && on_close.cause == "unread-data"`, "1-a 1-c"},
		{`tcp.bytes.unread == -1`, "1-b"},
		{`linger.on`, ""},
		{`id in ["1-b", "1-c"]`, "1-b 1-c"},
	} {
		f, err := CompileFilter(c.source)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		chosen, err := f.Select(sample())
		var ids []string
		for _, x := range chosen {
			ids = append(ids, x.ID)
		}
		if got := strings.Join(ids, " "); got != c.want || err != nil {
			t.Errorf("%s chose %q, %v, want %q", c.source, got, err, c.want)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for _, source := range []string{"state ==", "stat == 1", "process.pid", `state == 5`, `cidr(network.peer.address, "nonsense")`} {
		if _, err := CompileFilter(source); !errors.Is(err, model.ErrFilter) {
			t.Errorf("%s: %v, want %v", source, err, model.ErrFilter)
		}
	}
	f, err := CompileFilter(`cidr(network.peer.address, process.name)`)
	if err != nil {
		t.Fatal(err)
	}
	if chosen, err := f.Select(sample()); err == nil || len(chosen) != 0 {
		t.Errorf("an expression that fails chose %d connections, error %v: want none and an error", len(chosen), err)
	}
}

// TestExpressionFailsOnOne: the other connections are chosen and sorted; the expression is
// not wrong.
func TestExpressionFailsOnOne(t *testing.T) {
	f, err := CompileFilter("100 % (process.pid - 812) > 0")
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := f.Select(sample())
	if !errors.Is(err, model.ErrFilterFailed) || errors.Is(err, model.ErrFilter) || !strings.Contains(err.Error(), "on 1 connections, which are left out: ") {
		t.Errorf("error %v, want that the filter failed on one", err)
	}
	if len(chosen) != 2 || chosen[0].ID != "1-b" || chosen[1].ID != "1-c" {
		t.Errorf("chose %v, want 1-b and 1-c", chosen)
	}
	for source, want := range map[string]string{
		"tcp.bytes.unread + 0 * (100 % (process.pid - 812))":  "1-b 1-c 1-a",
		"-tcp.bytes.unread + 0 * (100 % (process.pid - 812))": "1-c 1-b 1-a",
	} {
		o, err := CompileOrder(source)
		if err != nil {
			t.Fatal(err)
		}
		all := sample()
		if err := o.Sort(all); !errors.Is(err, model.ErrFilterFailed) {
			t.Errorf("%s: error %v, want %v", source, err, model.ErrFilterFailed)
		}
		if got := all[0].ID + " " + all[1].ID + " " + all[2].ID; got != want {
			t.Errorf("%s gives %s, want %s", source, got, want)
		}
	}
}

func TestOrder(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"tcp.bytes.unread", "1-b 1-c 1-a"},
		{"-tcp.bytes.unread", "1-a 1-c 1-b"},
		{"state", "1-c 1-a 1-b"},
		{"-(tcp.bytes.unread * 2)", "1-a 1-c 1-b"},
		{"", "1-b 1-c 1-a"}, // listeners first, then by address; none before one
	} {
		o, err := CompileOrder(c.source)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		all := sample()
		if err := o.Sort(all); err != nil {
			t.Error(err)
		}
		if got := all[0].ID + " " + all[1].ID + " " + all[2].ID; got != c.want {
			t.Errorf("%q gives %q, want %q", c.source, got, c.want)
		}
	}
}

// TestNamesAgree: an expression uses the names that JSON shows, and those are
// the names of a teardown record where both have the field.
func TestNamesAgree(t *testing.T) {
	inJSON := map[string]bool{}
	names(reflect.TypeFor[Conn](), "json", "", inJSON)
	inExpressions := map[string]bool{}
	names(reflect.TypeFor[view](), "expr", "", inExpressions)
	for name := range inExpressions {
		if !inJSON[name] && name != "network.type" && name != "tcp.timer" && !strings.HasPrefix(name, "network.") {
			t.Errorf("expressions have %s, JSON does not", name)
		}
	}
	inRecords := map[string]bool{}
	names(reflect.TypeFor[model.Facts](), "json", "", inRecords)
	for _, name := range []string{
		"process.pid", "process.executable.path", "process.user.name", "container.id", "container.runtime", "k8s.pod.uid",
		"cgroup.path", "systemd.unit", "tcp.bytes.unread", "tcp.retransmits", "tcp.srtt_ns", "linger.seconds", "duration_ns",
	} {
		if !inRecords[name] || !inJSON[name] {
			t.Errorf("%s: in records %v, in the list %v", name, inRecords[name], inJSON[name])
		}
	}
}

// names collects dotted names of the fields, with the prefixes of structs.
func names(t reflect.Type, tag, prefix string, into map[string]bool) {
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get(tag), ",")
		if name == "" || name == "-" {
			continue
		}
		into[prefix+name] = true
		if field.Type.Kind() == reflect.Struct {
			names(field.Type, tag, prefix+name+".", into)
		}
	}
}

func TestJSONLeavesOutWhatIsNotKnown(t *testing.T) {
	b, err := json.Marshal(Conn{ID: "1-a", Transport: "tcp", State: model.Established})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"1-a","transport":"tcp","state":"ESTABLISHED","network":{},"queue":{"receive":0,"send":0}}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}
