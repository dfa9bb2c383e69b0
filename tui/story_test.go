package tui

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"
)

func TestMoments(t *testing.T) {
	const (
		opened  = "opened by the peer"
		closing = "close() called"
		waited  = "close() called, and waited 2s for SO_LINGER"
		ourFIN  = "we sent the first FIN (FIN_WAIT1)"
		acked   = "the peer acknowledged our FIN (FIN_WAIT2)"
		peerFIN = "the peer's FIN came first (CLOSE_WAIT)"
		fin2    = "we sent our FIN too (LAST_ACK)"
	)
	active := model.PathOf(model.Established, model.FinWait1, model.FinWait2, model.Closed)
	passive := model.PathOf(model.Established, model.CloseWait, model.LastAck, model.Closed)
	tests := []struct {
		name   string
		change func(*model.Teardown)
		want   []string
	}{
		{"closed here first", func(d *model.Teardown) {
			d.TCP.Path, d.Evidence.CloseTime, d.Evidence.FirstFIN = active, at-9, at-8
		}, []string{opened, closing, ourFIN, acked}},
		{"shut down, and closed later", func(d *model.Teardown) {
			d.TCP.Path, d.Evidence.CloseTime, d.Evidence.FirstFIN = active, at-2, at-8
		}, []string{opened, ourFIN, acked, closing}},
		{"closed by the peer first", func(d *model.Teardown) {
			d.TCP.Path, d.Evidence.CloseTime, d.Evidence.FirstFIN = passive, at-2, at-8
		}, []string{opened, peerFIN, closing, fin2}},
		{"no times known", func(d *model.Teardown) {
			d.TCP.Path, d.StartTime = passive, 0
			d.TCP.Preexisting = true
		}, []string{"opened before the trace began", peerFIN, closing, fin2}},
		{"linger", func(d *model.Teardown) {
			d.TCP.Path, d.CloseBlocked = active, model.Some(2*time.Second)
		}, []string{opened, waited, ourFIN, acked}},
		{"reset by the peer", func(d *model.Teardown) { d.Closer.Call = model.CallUnknown }, []string{opened}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := teardown().Teardown
			d.TCP.FIN.Sent = model.Some(true)
			d.TCP.Role, d.StartTime, d.Closer.Call = model.Passive, at.Add(-time.Minute), model.CallClose
			test.change(&d)
			var got []string
			before := model.Time(0)
			for _, m := range moments(&d) {
				got = append(got, m.text)
				if m.at != 0 && m.at < before {
					t.Errorf("%q is told after what came later", m.text)
				}
				before = max(before, m.at)
			}
			if end := got[len(got)-1]; !strings.Contains(end, "unread-data") {
				t.Errorf("the last moment is %q, want the end", end)
			}
			if got = got[:len(got)-1]; !slices.Equal(got, test.want) {
				t.Errorf("moments %q, want %q", got, test.want)
			}
		})
	}
}

// TestTimeLineIsToScale: a wait of a quarter of the life takes a quarter of
// the line.
func TestTimeLineIsToScale(t *testing.T) {
	r := teardown()
	r.Teardown.Verdict, r.Teardown.StartTime = model.LingerTimeout, at.Add(-40*time.Second)
	r.Teardown.CloseBlocked = model.Some(10 * time.Second)
	s := &story{rec: &r, pal: &plainPalette, g: &unicodeGlyphs, width: 100}
	line := s.drawLine(&r.Teardown, moments(&r.Teardown))
	width := ansi.StringWidth(line) - len(" 40s")
	waits := strings.Count(line, "░") + 2 // its mark, and the end
	if got := float64(waits) / float64(width); math.Abs(got-0.25) > 0.02 {
		t.Errorf("the wait takes %.0f %% of %q, want 25 %%", got*100, line)
	}
}

// TestEveryFactIsTold: a field of the evidence that is set is in the story,
// under the name that recordings use.
func TestEveryFactIsTold(t *testing.T) {
	r := teardown()
	r.Teardown.Evidence = model.Evidence{
		Owned: model.Some(true), SoftError: "EHOSTUNREACH", RSTReceivedBefore: true,
		UserTimeout: model.Some(3 * time.Second), Gap: true, Wait: model.LingerWait{Began: true},
	}
	s := &story{rec: &r, pal: &plainPalette, g: &unicodeGlyphs, width: 100}
	text := strings.Join(s.tell(), "\n")
	for _, want := range []string{
		"owned              true", `soft_error         "EHOSTUNREACH"`, "rst_received_bef", "user_timeout_ns    3000000000",
		"gap                true", `linger_wait        {"began":true}`, "inside close(), received data unread", "unread             512 B",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the story does not tell %q:\n%s", want, text)
		}
	}
}

// TestEveryMemberOfTCPIsTold: what the story has no words for is in it under its name.
func TestEveryMemberOfTCPIsTold(t *testing.T) {
	r := teardown()
	tcp := &r.Teardown.TCP
	tcp.Idle, tcp.LastSpeaker, tcp.Fingerprint = model.Some(1500*time.Millisecond), model.SidePeer, 0xfe
	tcp.Segments.Out, tcp.Limited.Busy = model.Some[uint64](7), model.Some(40*time.Microsecond)
	s := &story{rec: &r, pal: &plainPalette, g: &unicodeGlyphs, width: 100}
	text := strings.Join(s.tell(), "\n")
	for _, want := range []string{
		"idle               1.5s", "last_speaker       peer", "fingerprint        00000000000000fe",
		"segments.out       7", "limited.busy       40us",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the story does not tell %q:\n%s", want, text)
		}
	}
}

// contrast is that of WCAG 2.1, of two colours in sRGB.
func contrast(a, b [3]float64) float64 {
	luminance := func(c [3]float64) float64 {
		for i := range c {
			if c[i] /= 255; c[i] <= 0.03928 {
				c[i] /= 12.92
			} else {
				c[i] = math.Pow((c[i]+0.055)/1.055, 2.4)
			}
		}
		return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
	}
	high, low := luminance(a), luminance(b)
	if high < low {
		high, low = low, high
	}
	return (high + 0.05) / (low + 0.05)
}

// TestPalettesAreReadable checks the colours on both grounds in xterm's default values
// (XTerm-col.ad), which are not tuned to each other.
func TestPalettesAreReadable(t *testing.T) {
	xterm := map[string][3]float64{
		"31": {205, 0, 0}, "32": {0, 205, 0}, "33": {205, 205, 0}, "34": {0, 0, 238}, "35": {205, 0, 205}, "36": {0, 205, 205},
	}
	for name, test := range map[string]struct {
		palette *palette
		ground  [3]float64
	}{
		"dark":  {&darkPalette, [3]float64{0, 0, 0}},
		"light": {&lightPalette, [3]float64{255, 255, 255}},
	} {
		styles := append(slices.Clone(test.palette.verdict[:]), test.palette.match, test.palette.loud)
		seen := 0
		for _, style := range styles {
			for _, code := range style {
				colour, is := xterm[code]
				if len(code) == 2 && !is {
					t.Errorf("%s: SGR %s is not one of the colours that are known to be readable", name, code)
				}
				if c := contrast(colour, test.ground); is && c < 3 {
					t.Errorf("%s: SGR %s has a contrast of %.1f, want 3", name, code, c)
				}
				seen++
			}
		}
		if seen == 0 {
			t.Errorf("%s has no colours", name)
		}
	}
}
