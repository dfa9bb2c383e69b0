package findings

import (
	"slices"

	"github.com/closetrace/closetrace/model"
)

// What a few bytes at the end of a connection are, by their number: farewells, which nobody
// misses, or requests.

// alertSizes are TLS's close_notify with each of its ciphers, alone and after
// HTTP/2's GOAWAY, and two of it (RFC 8446, sections 5 and 6; RFC 5246, 6.2.3).
var alertSizes = []int64{22, 23, 24, 26, 31, 37, 53, 55, 61, 63, 69, 85}

func farewell(n int64) bool { return slices.Contains(alertSizes, n) }

// tlsPorts are ports of TLS only.
var tlsPorts = []uint16{443, 465, 563, 636, 853, 989, 990, 993, 995, 2376, 5061, 5671, 6443, 6697, 8443, 8883, 9443}

func tls(x *end) bool { return slices.Contains(tlsPorts, x.port()) }

// lostRequest reports whether what the closed end was sent may have been a request; o is the
// other end, nil if it is not known.
func (e *end) lostRequest(o *end) bool {
	if o == nil {
		return !tls(e) // as likely a close_notify
	}
	return o.unacked < small && (!o.closed() || !farewell(o.unacked)) && !goodbye(e, o.unacked)
}

// goodbyes are PostgreSQL's Terminate and MySQL's COM_QUIT, in clear or in TLS, alone or before a
// close_notify: what a pool sends when it drops a connection.
var goodbyes = []int64{5, 27, 34, 51, 65}

const anyGoodbye = 5

// goodbye reports whether so many bytes may be the farewell of a client of the database at x.
func goodbye(x *end, n int64) bool {
	return (x.port() == mysqlPort || slices.Contains(farewellPorts, x.port())) && slices.Contains(goodbyes, n)
}

// cancels: a client of PostgreSQL cancels a query by a connection of its own, whose only
// message (CancelRequest) has 16 bytes and is never answered.
func (e *end) cancels() bool {
	if !e.passive() || e.received != 16 || e.sent != 0 || e.unacked > 0 || e.unread > 0 {
		return false
	}
	program := knobsOf(e.process).program
	return program == "postgres" || program == "pgbouncer" || slices.Contains(farewellPorts, e.port())
}

// harmless reports whether a signal does not end a program: a process of PostgreSQL ends its
// query by SIGINT, and a JVM prints its threads by SIGQUIT.
func harmless(process string, signal int) bool {
	return model.SignalName(signal) == "SIGINT" && knobsOf(process).program == "postgres" ||
		model.SignalName(signal) == "SIGQUIT" && process == "java"
}
