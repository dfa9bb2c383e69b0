//go:build !linux

package main

import "os/exec"

func lendNothing(*exec.Cmd) {}
