//go:build !unix

package main

// onLostTerminal does nothing: this system ends the programs of a closed console.
func onLostTerminal(any, func()) (stop func()) { return func() {} }
