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
var tlsPorts = []uint16{443, 465, 563, 636, 853, 989, 990, 993, 995, 2376, 3269, 5061, 5671, 6443, 6697, 8443, 8883, 9443, 10250}

func tls(x *end) bool { return slices.Contains(tlsPorts, x.port()) }

// alone reports whether n is a close_notify of AEAD ciphers. The larger ones may be short requests of
// HTTP/2, too.
func alone(n int64) bool { return n <= 31 && farewell(n) }

// perhapsTLS: both ends have sent as much as a handshake of TLS, resumed, and a message have.
func perhapsTLS(x *end) bool { return x.sent >= 150 && x.received >= 150 }

// lostRequest reports whether what the closed end was sent may have been a request.
func (m *match) lostRequest() bool {
	x, o := m.end, m.other
	if o == nil {
		m.echo = goodbyesAt(x.port()) != nil
		m.inferred = m.echo || perhapsTLS(x)
		return !tls(x) // as likely a close_notify
	}
	m.echo = perhapsFarewell(x, o.unacked)
	return o.unacked < small && (!o.closed() || !farewell(o.unacked) && o.unacked != goAway) && !goodbye(x, o.unacked) && (!o.saysGoAway() || x.afterClose())
}

// goAway is how long HTTP/2's GOAWAY is (RFC 9113, 4.1 and 6.8); no request of HTTP/1 is as short.
const goAway = 17

// saidGoAway is GOAWAY with the debug data of grpc-go's clients ("client transport shutdown"), which they send
// when they read the server's FIN.
const saidGoAway = goAway + 25

// saysGoAway: so much came from a client that had the server's FIN already, in clear, in TLS 1.3 or in 1.2.
func (e *end) saysGoAway() bool {
	return e.closeWait && e.unacked > 0 && e.sent%e.unacked != 0 && (e.unacked == saidGoAway || perhapsTLS(e) && (e.unacked == saidGoAway+22 || e.unacked == saidGoAway+29))
}

// perhapsFarewell: so many bytes of a client may be a close_notify, or GOAWAY, in clear, in TLS 1.3 or
// in 1.2. If all that it had said before is a multiple of them, they are one more request.
func perhapsFarewell(x *end, n int64) bool {
	said := x.received
	if !x.passive() {
		said = x.sent
	}
	if n > 0 && said > 0 && said%n == 0 {
		return false
	}
	return n == goAway || perhapsTLS(x) && (farewell(n) || n == goAway+22 || n == goAway+29)
}

// goodbyes are what clients say when they end a session, by the ports of their protocols.
var goodbyes = []struct {
	ports []uint16
	sizes []int64
}{
	// PostgreSQL's Terminate and MySQL's COM_QUIT, in clear or in TLS, alone or before a close_notify.
	{[]uint16{5432, 6432, mysqlPort}, []int64{5, 27, 34, 51, 65}},
	{[]uint16{389, 636, 3268, 3269}, []int64{7, 8, 9}},        // LDAP's unbind, by the length of its number (RFC 4511, 4.3)
	{[]uint16{6379}, []int64{6, 14}},                          // QUIT, in a line or an array; PING has as much
	{[]uint16{21, 25, 110, 465, 587, 995, 11211}, []int64{6}}, // QUIT of FTP, SMTP, POP3 and memcached
	{[]uint16{1883, 8883}, []int64{2, 4}},                     // MQTT's DISCONNECT; PINGREQ has as much
	{[]uint16{50051}, []int64{goAway}},                        // of gRPC
}

func goodbyesAt(port uint16) []int64 {
	for _, g := range goodbyes {
		if slices.Contains(g.ports, port) {
			return g.sizes
		}
	}
	return nil
}

// goodbye reports whether so many bytes are the farewell of a client at the port of x: at one of TLS
// a close_notify, or what its protocol has, in TLS 1.3 or 1.2, alone or before a close_notify.
func goodbye(x *end, n int64) bool {
	sizes := goodbyesAt(x.port())
	if tls(x) {
		return alone(n) || slices.ContainsFunc(sizes, func(size int64) bool { return slices.Contains([]int64{22, 29, 22 + 24, 29 + 31}, n-size) })
	}
	return slices.Contains(sizes, n)
}

// mutePorts are those of protocols without answers: syslog, Graphite, StatsD, GELF and Fluentd.
var mutePorts = []uint16{514, 601, 2003, 2004, 5140, 6514, 8125, 12201, 24224}

func mute(x *end) bool { return slices.Contains(mutePorts, x.port()) }

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
