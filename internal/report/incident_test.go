package report

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

const begin model.Time = 1795195380123456789

var hostile = []string{
	"evil</script><script>alert(1)</script>", "\x1b]0;owned\a", "\"><img src=x onerror=alert(1)>", "{{.Title}}", "a\u202egnp.exe",
	"javascript:alert(1)", "' onmouseover='alert(1)", "\xff\xfe", "<!--", "]]>", "${alert(1)}", "\u2028", "&lt;b&gt;",
}

// incident is a believable day: calm, a storm of aborts, calm.
type incident struct {
	r *rand.Rand
	n int // of all
}

func (in *incident) record(i int) model.Record {
	r := in.r
	var t model.Teardown
	progress := float64(i) / float64(in.n)
	t.Time = begin.Add(time.Duration(progress * float64(2*time.Hour)))
	t.ID = fmt.Sprintf("7f-%x", i)
	t.Verdict, t.Cause, t.Rule = model.Graceful, model.CauseFIN, "fin-active"
	t.Confidence = model.Certain
	storm := progress > .55 && progress < .62
	names := []string{"nginx", "postgres", "curl", "sshd", "envoy", "java"}
	t.Process = model.Process{PID: 400 + r.IntN(50), Name: names[r.IntN(len(names))], Source: model.OwnerAccept}
	switch x := r.IntN(100); {
	case storm && x < 70, x < 4:
		t.Verdict, t.Cause, t.Rule = model.Abortive, model.CauseUnreadData, "close-with-unread-data"
		t.Process.Name = "nginx"
		t.TCP.Bytes.Unread = model.Some(uint64(r.ExpFloat64() * 9000))
		t.TCP.RST.Reason = "TCP_ABORT_ON_CLOSE"
	case x < 6:
		t.Verdict, t.Cause = model.Abortive, model.CausePeerReset
	case x < 8:
		t.Verdict, t.Cause = model.LingerTimeout, model.CauseLingerExpired
		t.Linger = model.Linger{On: model.Some(true), Seconds: model.Some(2)}
		t.LingerOutcome = model.LingerExpired
		t.CloseBlocked = model.Some(2*time.Second + time.Duration(r.IntN(1e7)))
		t.TCP.Bytes.Unacked = model.Some(uint64(r.IntN(1e6)))
	case x < 10:
		t.Verdict, t.Cause = model.FailedOpen, model.CauseRefused
	case x < 11:
		t.CloseBlocked = model.Some(time.Duration(r.ExpFloat64() * 3e7))
	}
	t.Network = model.Network{
		Local: model.Endpoint{Address: netip.MustParseAddr("10.0.0.5"), Port: 443},
		Peer:  model.Endpoint{Address: netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(4)), byte(r.IntN(200))}), Port: uint16(32768 + r.IntN(20000))},
	}
	t.TCP.Role, t.TCP.Path = model.Passive, model.PathOf(model.Established, model.Closed)
	t.Duration = model.Some(time.Duration(r.ExpFloat64() * 4e9))
	return model.Record{Kind: model.KindTeardown, Teardown: t}
}

// pageOf makes the page of n records and the hostile names among them.
func pageOf(t testing.TB, n int) []byte {
	t.Helper()
	p := New()
	p.Add(&model.Record{Kind: model.KindStart, Start: model.Start{
		Time: begin, Host: model.Host{Name: "web-1"}, OS: model.OS{Type: "linux", Version: "6.18.44"},
		Backend: "tracepoint", Tool: model.Tool{Version: "1.0.0"}, BootID: "5b0c2c5e-7a66-4b5d-a1a9-6a8b1f1c7d3e",
	}})
	in := incident{rand.New(rand.NewPCG(1, 1)), n}
	for i := range n {
		r := in.record(i)
		if i%(n/13+1) == 0 {
			bad := hostile[i/(n/13+1)%len(hostile)]
			r.Teardown.Verdict, r.Teardown.Cause = model.Abortive, model.CauseLingerZero
			r.Teardown.TCP.Bytes.Unread = model.Some[uint64](1e7)
			r.Teardown.Process.Name, r.Teardown.Process.CommandLine, r.Teardown.Process.Executable.Path = bad, bad, bad
			r.Teardown.Container.ID, r.Teardown.Systemd.Unit, r.Teardown.ConfidenceReason = bad, bad, bad
			r.Teardown.TCP.Error, r.Teardown.Rule, r.Teardown.ID = bad, bad, bad
		}
		p.Add(&r)
	}
	p.Add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Time: begin, Count: 17, Where: "ring-buffer" + hostile[0]}})
	p.Add(&model.Record{Kind: model.KindStop, Stop: model.Stop{Time: begin.Add(2 * time.Hour), Lost: 17, Reason: "signal"}})
	var out bytes.Buffer
	if err := p.Write(&out, Options{Version: "1.0.0", Warnings: []string{"skipped 1 line (42 bytes) that can't be read"}}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
