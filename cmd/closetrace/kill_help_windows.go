package main

// terminates is how a process is ended.
const terminates = "TerminateProcess"

// killHow says what kill does on this system.
const killHow = `SetTcpEntry ends a connection: both of its ends get a reset. Windows has no such
call for IPv6: those are refused, and --terminate ends their process instead. A
connection is named by its addresses and the time at which it was made, which are
compared just before. After that the table is read again: if the connection is
still there, kill says so. No teardown record is waited for.

Needs an elevated prompt (Run as administrator).

Examples:
  closetrace kill f0000098-1dc1a2b3c4d5e6f
  closetrace kill 10.0.0.5:443 10.0.0.9:51034
  closetrace kill --filter "state == 'CLOSE_WAIT'" --max 50
  closetrace kill --process 812 --dry-run
  closetrace kill --process 812 --terminate`
