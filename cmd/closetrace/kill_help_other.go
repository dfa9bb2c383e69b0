//go:build !windows

package main

// terminates is how a process is ended.
const terminates = "SIGTERM"

// killHow says what kill does on this system.
const killHow = `The kernel sends RST to the peer, and the process gets ECONNABORTED. A
connection is identified by the kernel's own number for it: a new one that reuses
the addresses is never affected. Then kill waits for the connection's teardown
record, whose cause is "destroyed", and shows it.

Linux: needs CAP_NET_ADMIN of the caller, not of the program's file (setcap).

Examples:
  sudo closetrace kill f0000098-1a2b
  sudo closetrace kill 10.0.0.5:443 10.0.0.9:51034
  sudo closetrace kill --filter 'state == "CLOSE_WAIT" && tcp.idle_ns > 600e9' --max 50
  sudo closetrace kill --process 812 --dry-run
  sudo closetrace kill --process 812 --terminate`
