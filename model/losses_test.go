package model

import "testing"

// TestLosses: each place where events are lost costs something else.
func TestLosses(t *testing.T) {
	var stop Stop
	for n, where := range []string{"ring-buffer", "connection-table", "late-evidence", "elsewhere"} {
		stop.Lose(&Loss{Where: where, Count: 1 << n})
	}
	if want := (Losses{1, 2, 4, 8}); stop.Losses != want || stop.Lost != 15 {
		t.Errorf("got %+v, %d lost, want %+v and 15", stop.Losses, stop.Lost, want)
	}
	all := stop.Losses
	if all.Total() != 15 || all.Missing() != 9 {
		t.Errorf("got %d, of which %d are missing, want 15 and 9: ends and unknown events", all.Total(), all.Missing())
	}
	if got, want := all.Plus(Losses{10, 20, 30, 40}), (Losses{11, 22, 34, 48}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	more := Losses{3, 3, 3, 3}
	if got, want := all.Beyond(more), (Losses{0, 0, 1, 5}); got != want {
		t.Errorf("got %+v, want %+v: never less than nothing", got, want)
	}
	if got, want := more.Beyond(all), (Losses{2, 1, 0, 0}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
