package model_test

import (
	"testing"

	"github.com/closetrace/closetrace/model"
)

// FuzzFilter: whatever is typed is refused or matches in bounded time; a filter that
// fails on a record does not match it.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{
		`verdict == "abortive" && tcp.bytes.unread > 0`, `process.pid % 0 == 1`, `cidr(network.peer.address, "10.0.0.0/8")`,
		`all(1..9, # > 0)`, `process.name matches "(a+)+$"`, `tcp.path[9] == "CLOSE"`, "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := model.CompileFilter(text)
		if err != nil {
			return
		}
		r := model.Record{Kind: model.KindTeardown}
		r.Teardown.Process.Name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaab"
		if filter.Match(&r) && filter.Failed() != nil {
			t.Errorf("%q matches a record on which it failed: %v", text, filter.Failed())
		}
	})
}
