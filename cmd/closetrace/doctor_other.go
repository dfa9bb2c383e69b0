//go:build !linux && !windows

package main

// diagnose finds no back end: recordings can still be read.
func diagnose(sourceFlags) (diagnosis, error) {
	return diagnosis{Checks: []check{{
		Name: "live traces", Optional: true, Detail: "need Linux or Windows", Advice: "closetrace replay reads recordings here",
	}}}, nil
}
