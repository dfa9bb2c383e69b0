package findings

import (
	"strings"
	"testing"
)

// TestKillAdvice: who sent the signal decides what to change.
func TestKillAdvice(t *testing.T) {
	const otherwise = "otherwise"
	for _, c := range []struct{ killer, process, signal, want string }{
		{"", "nginx", "SIGTERM", otherwise},
		{"", "", "SIGKILL", otherwise},
		{"sh", "nginx", "SIGTERM", otherwise},
		{"nginx", "nginx", "SIGTERM", "nginx told its worker to end"},
		{"gunicorn", "gunicorn", "SIGTERM", "gunicorn told its worker to end"},
		{"gunicorn", "gunicorn", "SIGKILL", "gunicorn killed what did not end"},
		{"gunicorn", "gunicorn", "SIGABRT", "gunicorn ends a worker that takes longer than its time limit (--timeout)"},
		{"gunicorn", "python3", "SIGKILL", otherwise},
		{"php-fpm", "php-fpm", "SIGTERM", "php-fpm ends a worker that takes longer"},
		{"systemd", "app", "SIGTERM", "systemd stopped or restarted the unit"},
		{"systemd", "app", "SIGKILL", "systemd stopped the unit, and it did not end by itself in time"},
		{"containerd-shim-runc-v2", "app", "SIGKILL", "The container was stopped"},
		{"dockerd", "app", "SIGKILL", "The container was stopped"},
		{"runc", "app", "SIGKILL", "The container was stopped"},
		{"conmon", "app", "SIGTERM", "The container was stopped"},
		{"kubelet", "app", "SIGTERM", "The container was stopped"},
	} {
		g := group{key: key{process: c.process}, killer: c.killer, detail: c.signal, detailed: 1, count: 1}
		if got := g.killAdvice(otherwise); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s killed %s by %s: got %q, want %q", c.killer, c.process, c.signal, got, c.want)
		}
	}
	if bracket("") != "" || bracket("x") != " (x)" {
		t.Errorf("got %q, %q", bracket(""), bracket("x"))
	}
}

// TestCompareWhatWasRead: findings that were read from files are the same by what one reads.
func TestCompareWhatWasRead(t *testing.T) {
	one := Finding{ID: "x", Process: "nginx", Peer: "10.0.0.1"}
	for _, o := range []Finding{{ID: "y", Process: "nginx", Peer: "10.0.0.1"}, {ID: "x", Process: "app", Peer: "10.0.0.1"}, {ID: "x", Process: "nginx", Peer: "10.0.0.2"}} {
		appeared, gone := Compare(&Report{Findings: []Finding{one}}, &Report{Findings: []Finding{o}})
		if len(appeared) != 1 || len(gone) != 1 {
			t.Errorf("%+v is taken for %+v", o, one)
		}
	}
	if appeared, gone := Compare(&Report{Findings: []Finding{one}}, &Report{Findings: []Finding{one}}); len(appeared)+len(gone) != 0 {
		t.Errorf("got %v, %v of the same", appeared, gone)
	}
	var h Harm
	for i, name := range harmNames {
		if err := h.UnmarshalText([]byte(name)); err != nil || h != Harm(i) || h.String() != name {
			t.Errorf("%s: got %v, %v", name, h, err)
		}
	}
	if err := h.UnmarshalText([]byte("bad")); err == nil {
		t.Errorf("bad was taken for %v", h)
	}
}

// TestOnceKilled: a restart is worth less where a kill was said of the same ends.
func TestOnceKilled(t *testing.T) {
	list := []Finding{
		{ID: "process-restart", Filter: "a", Harm: High},
		{ID: "process-restart", Filter: "b", Harm: High},
		{ID: "process-killed", Filter: "a", Harm: High},
		{ID: "retry", Filter: "b", Harm: High},
		{ID: "other", Filter: "a", Harm: High},
	}
	onceKilled(list)
	for i, want := range []Harm{Low, High, High, High, High} {
		if list[i].Harm != want {
			t.Errorf("%s of %s: got %v, want %v", list[i].ID, list[i].Filter, list[i].Harm, want)
		}
	}
}
