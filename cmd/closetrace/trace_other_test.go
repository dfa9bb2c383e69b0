//go:build !linux

package main

// canTrace: the tests trace Linux only.
func canTrace() bool { return false }
