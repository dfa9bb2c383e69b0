package tui

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"
)

// at is the time of the records in these tests.
var at = model.TimeOf(time.Date(2026, 11, 20, 17, 23, 0, 123456789, time.UTC))

func endpoint(s string) model.Endpoint {
	a := netip.MustParseAddrPort(s)
	return model.Endpoint{Address: a.Addr(), Port: a.Port()}
}

// teardown returns the record of a close with 512 unread bytes.
func teardown() model.Record {
	r := model.Record{Kind: model.KindTeardown}
	r.Teardown = model.Teardown{
		Judgement: model.Judgement{
			Verdict: model.Abortive, Cause: model.CauseUnreadData, Initiator: model.InitiatorLocal,
			Terminator: model.LocalApp, Confidence: model.Certain, Rule: "close-with-unread-data",
		},
		Facts: model.Facts{
			Time: at, ID: "7f3a-1c",
			Network: model.Network{Local: endpoint("10.0.0.5:443"), Peer: endpoint("10.0.0.9:51034")},
			Process: model.Process{PID: 812, Name: "nginx"},
			TCP:     model.TCP{Bytes: model.Bytes{Unread: model.Some(uint64(512))}},
		},
	}
	return r
}

func TestLine(t *testing.T) {
	tests := []struct {
		name   string
		change func(*model.Record)
		opts   LineOptions
		want   string
	}{
		{
			"a teardown", func(*model.Record) {},
			LineOptions{},
			"17:23:00.123456 ✗ abortive        unread-data            nginx[812]               10.0.0.5:443          → 10.0.0.9:51034        local/local-app              7f3a-1c   unread 512 B",
		},
		{
			"ASCII with a date", func(*model.Record) {},
			LineOptions{ASCII: true, Date: true},
			"2026-11-20 17:23:00.123456 A abortive        unread-data            nginx[812]               10.0.0.5:443          -> 10.0.0.9:51034        local/local-app              7f3a-1c   unread 512 B",
		},
		{
			"a long name keeps its pid", func(r *model.Record) {
				r.Teardown.Process.Name = strings.Repeat("x", 40)
				r.Teardown.TCP.Bytes = model.Bytes{}
			},
			LineOptions{},
			"17:23:00.123456 ✗ abortive        unread-data            xxxxxxxxxxxxxxxxxx…[812] 10.0.0.5:443          → 10.0.0.9:51034        local/local-app              7f3a-1c",
		},
		{
			"an inferred linger timeout", func(r *model.Record) {
				j := &r.Teardown.Judgement
				j.Verdict, j.Cause, j.Confidence = model.LingerTimeout, model.CauseLingerExpired, model.Inferred
				j.CloseBlocked = model.Some(2 * time.Second)
				r.Teardown.TCP.Bytes = model.Bytes{Unacked: model.Some(uint64(1_234_567))}
			},
			LineOptions{},
			"17:23:00.123456 ◷ linger-timeout~ linger-expired         nginx[812]               10.0.0.5:443          → 10.0.0.9:51034        local/local-app              7f3a-1c   unacked 1.23 MB, close blocked 2s",
		},
		{
			"killed, after a while", func(r *model.Record) {
				r.Teardown.Closer = model.Closer{PID: 812, Name: "nginx", Call: model.CallExit, Signal: 9}
				r.Teardown.Duration, r.Teardown.TCP.Bytes = model.Some(22226*time.Millisecond), model.Bytes{}
			},
			LineOptions{},
			"17:23:00.123456 ✗ abortive        unread-data            nginx[812]               10.0.0.5:443          → 10.0.0.9:51034        local/local-app        22.2s 7f3a-1c   exit signal 9 (SIGKILL)",
		},
		{
			"reset by a process of this host", func(r *model.Record) {
				t := &r.Teardown
				t.Cause, t.Terminator, t.TCP.Bytes = model.CausePeerReset, model.Peer, model.Bytes{}
				t.PeerEnd, t.PeerProcess, t.PeerCause = "7f3a-1b", model.PeerProcess{PID: 99, Name: "cu\x1brl"}, model.CauseUnreadData
			},
			LineOptions{},
			`17:23:00.123456 ✗ abortive        peer-reset             nginx[812]               10.0.0.5:443          → 10.0.0.9:51034        local/peer                   7f3a-1c   reset by cu\x1brl[99]: unread-data`,
		},
		{
			"idle, and half-closed by a process of this host", func(r *model.Record) {
				t := &r.Teardown
				t.Verdict, t.Cause, t.TCP.Bytes, t.TCP.Idle = model.Graceful, model.CauseFIN, model.Bytes{}, model.Some(75*time.Second)
				t.Evidence.FirstFIN, t.Evidence.CloseTime = at.Add(-2*time.Second), at
				t.PeerProcess = model.PeerProcess{PID: 99, Name: "curl"}
			},
			LineOptions{},
			"17:23:00.123456 ✓ graceful        fin                    nginx[812]               10.0.0.5:443          → 10.0.0.9:51034        local/local-app              7f3a-1c   peer curl[99], idle 1m15s, half-closed 2s",
		},
		{
			"reset by a pod of this host", func(r *model.Record) {
				t := &r.Teardown
				t.Cause, t.Terminator, t.TCP.Bytes, t.PeerCause = model.CausePeerReset, model.Peer, model.Bytes{}, model.CauseUnreadData
				t.PeerProcess = model.PeerProcess{PID: 99, Name: "curl"}
				t.PeerProcess.K8s.Pod.Name, t.PeerProcess.K8s.Namespace.Name = "cart\x1b-0", "shop"
			},
			LineOptions{},
			`17:23:00.123456 ✗ abortive        peer-reset             nginx[812]               10.0.0.5:443          → 10.0.0.9:51034        local/peer                   7f3a-1c   reset by curl[99] in shop/cart\x1b-0: unread-data`,
		},
		{
			"closed by a child", func(r *model.Record) {
				r.Teardown.Closer = model.Closer{PID: 901, Name: "ng\x1binx", Call: model.CallExit}
				r.Teardown.TCP.Bytes = model.Bytes{}
			},
			LineOptions{},
			`17:23:00.123456 ✗ abortive        unread-data            nginx[812]               10.0.0.5:443          → 10.0.0.9:51034        local/local-app              7f3a-1c   exit of ng\x1binx[901]`,
		},
		{
			"its retraction", func(r *model.Record) { r.Kind, r.Retracts = model.KindOutcome, true },
			LineOptions{},
			"17:23:00.123456 ✗ abortive        unread-data            nginx[812]               10.0.0.5:443          → 10.0.0.9:51034        local/local-app              7f3a-1c   ↳ takes back the verdict of 7f3a-1c unread 512 B",
		},
		{
			"a hostile name", func(r *model.Record) { r.Teardown.Process.Name = "ng\x1b[31m\n" },
			LineOptions{},
			`17:23:00.123456 ✗ abortive        unread-data            ng\x1b[31m\n[812]        10.0.0.5:443          → 10.0.0.9:51034        local/local-app              7f3a-1c   unread 512 B`,
		},
		{
			"IPv6", func(r *model.Record) { r.Teardown.Network.Local = endpoint("[2001:db8::1]:443") },
			LineOptions{},
			"17:23:00.123456 ✗ abortive        unread-data            nginx[812]               [2001:db8::1]:443     → 10.0.0.9:51034        local/local-app              7f3a-1c   unread 512 B",
		},
		{
			"nothing known", func(r *model.Record) { *r = model.Record{Kind: model.KindTeardown} },
			LineOptions{},
			"-               ? unknown         unknown                -                        -                     → -                     unknown/unknown",
		},
		{
			"a loss", func(r *model.Record) {
				*r = model.Record{Kind: model.KindLoss, Loss: model.Loss{Time: at, Count: 1234, Where: "ring-buffer"}}
			},
			LineOptions{},
			"17:23:00.123456 ! MISSED 1,234 events (ring-buffer): records around here are missing",
		},
		{
			"a table that one user fills", func(r *model.Record) {
				*r = model.Record{Kind: model.KindLoss, Loss: model.Loss{
					Time: at, Count: 1234, Where: "connection-table", Held: 43690, Max: 65536, UID: model.Some[uint32](1000),
				}}
			},
			LineOptions{},
			"17:23:00.123456 ! NOT FOLLOWED: 1,234 new connections of uid 1000 in namespaces of its own, which have 43,690 of 65,536 entries: " +
				"their ends have no process (--max-connections)",
		},
		{
			"a table that a container fills", func(r *model.Record) {
				*r = model.Record{Kind: model.KindLoss, Loss: model.Loss{
					Time: at, Count: 2, Where: "connection-table", Held: 43690, Max: 65536, NetNS: 4026532000,
				}}
			},
			LineOptions{},
			"17:23:00.123456 ! NOT FOLLOWED: 2 new connections of the container with netns 4026532000, which have 43,690 of 65,536 entries: " +
				"their ends have no process (--max-connections)",
		},
		{
			"a table that fills", func(r *model.Record) {
				*r = model.Record{Kind: model.KindTable, Table: model.Table{Time: at, Held: 40960, Max: 65536, Most: 40000, UID: model.Some[uint32](1000)}}
			},
			LineOptions{},
			"17:23:00.123456 • the table of connections is 62 % full (40,960 of 65,536), 40,000 of uid 1000 in namespaces of its own; a larger --max-connections follows more",
		},
		{
			"a clock that was set back after a sleep", func(r *model.Record) {
				*r = model.Record{Kind: model.KindClock, Clock: model.Clock{Time: at, Step: -time.Hour, Suspended: 90 * time.Second}}
			},
			LineOptions{},
			"17:23:00.123456 • the machine slept for 1m30s, the clock was set back by 1h00m: times from here on are by the clock as it is now",
		},
		{
			"the start", func(r *model.Record) {
				*r = model.Record{Kind: model.KindStart, Start: model.Start{
					Time: at, Backend: "fentry", Tool: model.Tool{Version: "1.0.0"},
					Host: model.Host{Name: "web1"}, OS: model.OS{Type: "linux", Version: "6.18.44"}, Filter: "tcp.bytes.unread > 0",
				}}
			},
			LineOptions{},
			"17:23:00.123456 • tracing web1 (linux 6.18.44) with fentry, closetrace 1.0.0, filter: tcp.bytes.unread > 0",
		},
		{
			"the end", func(r *model.Record) {
				*r = model.Record{Kind: model.KindStop, Stop: model.Stop{
					Time: at, Reason: "signal", Lost: 9, Losses: model.Losses{Ends: 7, Late: 2}, Teardowns: map[string]uint64{"abortive": 2, "graceful": 1000},
				}}
			},
			LineOptions{},
			"17:23:00.123456 • stopped (signal): 1,002 ends: 1,000 graceful, 2 abortive; 7 ends lost, 2 pieces of late evidence lost",
		},
		{
			"a failed close", func(r *model.Record) { r.Kind, r.Error = model.KindCloseFailed, "WSAEWOULDBLOCK" },
			LineOptions{},
			"17:23:00.123456 ! close-failed    WSAEWOULDBLOCK         nginx[812]               10.0.0.5:443          → 10.0.0.9:51034        the call failed, the socket is still open",
		},
		{
			"a reset for what was nginx's", func(r *model.Record) {
				r.Kind, r.Stray = model.KindStray, model.Stray{Count: 1, First: at, Ended: at.Add(-12 * time.Second), Why: model.StrayEnded}
				r.Teardown.Closer = model.Closer{PID: 812, Call: model.CallExit, Signal: 9}
				r.Teardown.TCP.RST.Reason = "NO_SOCKET"
			},
			LineOptions{},
			"17:23:00.123456 ! stray-reset     NO_SOCKET              nginx[812]               10.0.0.5:443          → 10.0.0.9:51034        RST sent: was nginx[812] until 12s ago, killed by signal 9 (7f3a-1c)",
		},
		{
			"resets for nobody's port", func(r *model.Record) {
				*r = model.Record{Kind: model.KindStray, Stray: model.Stray{Count: 3, First: at, Why: model.StrayNoListener}}
				r.Teardown.Time, r.Teardown.Network.Local = at, endpoint("10.0.0.5:81")
			},
			LineOptions{},
			"17:23:00.123456 ! stray-reset     no-listener            -                        10.0.0.5:81           → -                     3 RSTs sent: nobody listens on this port",
		},
		{
			"a reset for a connection that was not this trace's", func(r *model.Record) {
				*r = model.Record{Kind: model.KindStray, Stray: model.Stray{Count: 1, First: at, Why: model.StrayNotOurs, LookedBack: model.Some(34 * time.Second)}}
				r.Teardown.Time = at
			},
			LineOptions{},
			"17:23:00.123456 ! stray-reset     not-ours               -                        -                     → -                     RST sent: never ours, as far as is known: 34s",
		},
		{
			"a kind of a later version", func(r *model.Record) { *r = model.Record{} },
			LineOptions{},
			"-               • a record of a kind that this version does not know",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := teardown()
			test.change(&r)
			if got := Line(&r, test.opts); got != test.want {
				t.Errorf("Line:\n got %q\nwant %q", got, test.want)
			}
			test.opts.Color = true
			if got := ansi.Strip(Line(&r, test.opts)); strings.TrimRight(got, " ") != test.want {
				t.Errorf("coloured line without its colours:\n got %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestLineFolds: on a narrow terminal no column is broken or lost.
func TestLineFolds(t *testing.T) {
	r := teardown()
	r.Teardown.TCP.Bytes.Unacked, r.Teardown.CloseBlocked = model.Some(uint64(5)), model.Some(time.Second)
	want := "17:23:00.123456 ✗ abortive        unread-data            nginx[812]\n" +
		"  10.0.0.5:443          → 10.0.0.9:51034        local/local-app\n" +
		"  7f3a-1c   unacked 5 B, unread 512 B, close blocked 1s"
	if got := Line(&r, LineOptions{Width: 80}); got != want {
		t.Errorf("80 columns:\n%s\nwant\n%s", got, want)
	}
	if got := Line(&r, LineOptions{Width: 250}); got != Line(&r, LineOptions{}) {
		t.Errorf("250 columns:\n%s", got)
	}
	start := model.Record{Kind: model.KindStart, Start: model.Start{Time: at, Host: model.Host{Name: "web1"}, Filter: "tcp.bytes.unread > 0"}}
	for _, width := range []int{50, 60, 80, 100, 120} {
		for _, o := range []LineOptions{{Width: width}, {Width: width, Color: true, ASCII: true}} {
			whole := o
			whole.Width = 0
			for folded, full := range map[string]string{
				Line(&r, o): Line(&r, whole), Line(&start, o): Line(&start, whole), LineHeader(o): LineHeader(whole),
			} {
				if got, want := strings.Fields(ansi.Strip(folded)), strings.Fields(ansi.Strip(full)); !slices.Equal(got, want) {
					t.Errorf("%d columns: got %q, want %q", width, got, want)
				}
				for line := range strings.Lines(folded) {
					if n := ansi.StringWidth(strings.TrimRight(line, "\n")); n > width {
						t.Errorf("%d columns of %d: %q", n, width, line)
					}
				}
			}
		}
	}
}

func TestLineColumnsLineUp(t *testing.T) {
	r := teardown()
	for _, o := range []LineOptions{{}, {ASCII: true}, {Date: true}} {
		line, header := []rune(Line(&r, o)), []rune(LineHeader(o))
		for heading, text := range map[string]string{
			"VERDICT": "", "CAUSE": "unread-data", "PROCESS": "nginx", "LOCAL": "10.0.0.5", "PEER": "10.0.0.9", "BEGAN": "local/", "ID": "7f3a-1c", "NOTES": "unread 512",
		} {
			if text == "" {
				continue
			}
			i, j := strings.Index(string(header), heading), strings.Index(string(line), text)
			i, j = len([]rune(string(header)[:i])), len([]rune(string(line)[:j]))
			if i != j {
				t.Errorf("%+v: %s begins in column %d, its heading in %d", o, text, j, i)
			}
		}
	}
}

func TestVerdictsAreToldWithoutColour(t *testing.T) {
	for _, g := range []*glyphs{&unicodeGlyphs, &asciiGlyphs} {
		seen := map[string]model.Verdict{}
		for v := range model.Verdict(model.NumVerdicts) {
			glyph := g.of(v)
			if other, twice := seen[glyph]; twice || ansi.StringWidth(glyph) != 1 {
				t.Errorf("glyph %q of %v: same as %v, or not one column wide", glyph, v, other)
			}
			seen[glyph] = v
			r := teardown()
			r.Teardown.Verdict = v
			if line := Line(&r, LineOptions{}); !strings.Contains(line, " "+v.String()+" ") {
				t.Errorf("line %q does not hold the word %v", line, v)
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	for kind := range uint8(8) {
		f.Add("nginx", "ECONNRESET", "id", kind)
		f.Add("\x1b]0;x\x07", "\u202e", "\n", kind)
	}
	f.Fuzz(func(t *testing.T, name, text, id string, kind uint8) {
		r := teardown()
		r.Kind, r.Retracts = model.Kind(kind%8), kind%2 == 0
		r.Teardown.Process.Name, r.Error, r.Teardown.ID = name, text, id
		r.Loss.Where, r.Start.Host.Name, r.Start.Filter, r.Stop.Reason = text, name, id, text
		lines := Line(&r, LineOptions{})
		r.Retracts = !r.Retracts
		for _, c := range lines + Line(&r, LineOptions{}) {
			if unicode.IsControl(c) || unicode.In(c, unicode.Bidi_Control, unicode.Cf) {
				t.Fatalf("the line holds %U", c)
			}
		}
	})
}

func BenchmarkLine(b *testing.B) {
	r := teardown()
	b.ReportAllocs()
	for b.Loop() {
		Line(&r, LineOptions{Color: true})
	}
}
