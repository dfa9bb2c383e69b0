//go:build !linux && !windows

package main

// diagnose finds nothing to trace with: recordings can still be read.
func diagnose() diagnosis {
	return diagnosis{Checks: []check{{
		Name: "live traces", Optional: true, Detail: "need Linux or Windows", Advice: "closetrace replay reads recordings here",
	}}}
}
