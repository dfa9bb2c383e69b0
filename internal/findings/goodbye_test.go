package findings_test

import (
	"fmt"
	"testing"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// TestGoodbyeIsNoRequest: a pool says goodbye on connections that their server had closed when
// they were idle. Over loopback the reset answers its first write, before it closes.
func TestGoodbyeIsNoRequest(t *testing.T) {
	for _, c := range []struct {
		port       int
		last       uint64 // the client's last message; 0 is of a client elsewhere
		id         string // of the worst finding above low
		harm       findings.Harm
		confidence model.Confidence
	}{
		{port: 443, last: 24}, // close_notify of TLS 1.3
		{port: 443, last: 31}, // of 1.2
		{port: 636, last: 29}, // LDAP's unbind in TLS
		{port: 389, last: 7},
		{port: 6379, last: 14}, // QUIT
		{port: 6379, last: 6},  // the same without RESP
		{port: 3306, last: 5},
		{port: 25, last: 6},
		{port: 50051, last: 17}, // GOAWAY
		{port: 9090, last: 42},  // of grpc-go
		{port: 9090, last: 64},  // the same in TLS 1.3
		{port: 443},
		{9000, 17, "keepalive-race", findings.Medium, model.Inferred},
		{9094, 39, "keepalive-race", findings.Medium, model.Inferred},
		{9093, 24, "keepalive-race", findings.Medium, model.Inferred},
		{389, 0, "keepalive-race", findings.Medium, model.Inferred},
		{6379, 0, "keepalive-race", findings.Medium, model.Inferred},
		{9093, 0, "keepalive-race", findings.High, model.Inferred}, // perhaps TLS
		// The true ones.
		{389, 80, "keepalive-race", findings.High, model.Certain},
		{6379, 36, "keepalive-race", findings.High, model.Certain}, // 14 in TLS, which is at another port
		{6379, 27, "keepalive-race", findings.High, model.Certain},
		{443, 37, "keepalive-race", findings.Medium, model.Inferred}, // a short request of HTTP/2 has as much
		{443, 180, "keepalive-race", findings.High, model.Certain},
		{8080, 14, "keepalive-race", findings.High, model.Certain},
		{8080, 140, "keepalive-race", findings.High, model.Certain},
	} {
		var s stream
		for i := range 4 {
			server, client := fmt.Sprintf("10.6.0.2:%d", c.port), fmt.Sprintf("10.6.0.1:%d", 40_000+i)
			x := s.end(9*sec+ms, "server", model.Passive, server, client, model.CauseFIN, graceful,
				bytes(2500, 900), idle(5*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(8*sec))
			s.outcome(12*sec, x, model.CauseDataAfterClose, "late-data-after-close")
			if c.last > 0 {
				s.end(12*sec, "app", model.Active, client, server, model.CausePeerReset,
					bytes(900, 2500), unacked(c.last), gotFIN, by(model.InitiatorPeer), lasted(11*sec), path(model.SynSent, model.Established, model.CloseWait))
			}
		}
		var worst findings.Finding
		if list := found(t, s.records).Worst(1); len(list) > 0 {
			worst = list[0]
		}
		if worst.ID != c.id || c.id != "" && (worst.Harm != c.harm || worst.Confidence != c.confidence) {
			t.Errorf("%d bytes to port %d: got %q, %v, %v, want %q, %v, %v: %s", c.last, c.port, worst.ID, worst.Harm, worst.Confidence, c.id, c.harm, c.confidence, worst.Title)
		}
	}
}

// TestGoodbyeOfThisClient is the same where only the client is on this host.
func TestGoodbyeOfThisClient(t *testing.T) {
	for _, c := range []struct {
		port int
		last uint64
		harm findings.Harm
	}{
		{443, 24, findings.Low},
		{389, 7, findings.Low},
		{6379, 14, findings.Low},
		{9093, 24, findings.Medium},
		{9093, 100, findings.High},
		{8080, 140, findings.High},
	} {
		var s stream
		s.end(12*sec, "app", model.Active, "10.6.0.1:40000", fmt.Sprintf("10.9.0.2:%d", c.port), model.CausePeerReset,
			bytes(900, 2500), unacked(c.last), gotFIN, spoke(0, 6*sec), by(model.InitiatorPeer), lasted(11*sec))
		harm := findings.Low
		for _, f := range found(t, s.records).Worst(1) {
			harm = f.Harm
		}
		if harm != c.harm {
			t.Errorf("%d bytes to port %d: got %v, want %v", c.last, c.port, harm, c.harm)
		}
	}
}

// TestGoodbyeIsUnread: the server closes when it was idle too long, or has read that the client goes,
// and what comes then is not read any more. The client's FIN is still under way.
func TestGoodbyeIsUnread(t *testing.T) {
	for _, c := range []struct {
		port int
		last uint64
		harm findings.Harm // low and below is no alarm
	}{
		{443, 24, findings.Low},
		{389, 7, findings.Low},
		{6379, 14, findings.Low},
		{443, 90, findings.High},
		{389, 80, findings.High},
		{6379, 31, findings.High},
		{3306, 23, findings.High}, // SELECT 1 FROM DUAL
		{5432, 31, findings.High},
		{8080, 24, findings.High},
	} {
		for _, how := range []model.Call{model.CallClose, model.CallExit} {
			var s stream
			s.end(12*sec, "server", model.Passive, fmt.Sprintf("10.6.0.2:%d", c.port), "10.9.0.2:40000", model.CauseUnreadData,
				bytes(2500, 900), unread(c.last), spoke(6*sec, 0), by(model.InitiatorLocal), call(how, 0), lasted(11*sec))
			harm := findings.Low
			for _, f := range found(t, s.records).Worst(1) {
				harm = f.Harm
			}
			if harm != c.harm {
				t.Errorf("%d bytes unread at port %d, %v: got %v, want %v", c.last, c.port, how, harm, c.harm)
			}
		}
	}
}

// TestRequestOfAnOlderConnection: what an end without bytes had answered nobody knows.
func TestRequestOfAnOlderConnection(t *testing.T) {
	for _, c := range []struct {
		what edit
		want model.Confidence
	}{
		{bytes(0, 200), model.Certain},
		{func(*model.Teardown) {}, model.Inferred},
	} {
		var s stream
		s.end(9*sec, "server", model.Passive, "10.6.0.2:8080", "10.6.0.1:40000", model.CauseUnreadData, unread(200),
			c.what, by(model.InitiatorLocal), call(model.CallClose, 0))
		list := found(t, s.records).Worst(9)
		if len(list) != 1 || list[0].ID != "request-lost" || list[0].Confidence != c.want {
			t.Errorf("want %v, got %+v", c.want, list)
		}
	}
}
