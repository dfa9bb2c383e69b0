//go:build !linux

package agent

func room(string) (uint64, bool) { return 0, false }
