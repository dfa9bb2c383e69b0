// Package sockets lists open connections and listeners, predicts what close()
// would do to each of them now, and ends them.
//
//	INET_DIAG (every namespace) ─┐
//	who holds which socket ──────┼──► Conn ──► Predict ──► list, screen
//	SO_LINGER ───────────────────┘      └────► Killer: SOCK_DESTROY by cookie
//
// On Linux the sockets come from the kernel's socket monitor (sock_diag(7)),
// and who holds them from /proc, or from a BPF iterator that the caller brings
// in [Options.Held]. On Windows the tables of iphlpapi have both. Decoders and
// [Predict] are pure and run everywhere.
//
// A connection is named by what the system itself never uses twice: on Linux
// the namespace and the socket's cookie. A tuple is only how a human names it:
// it may be another connection's by the time that something is done to it.
package sockets
