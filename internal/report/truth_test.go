package report

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/lab/scenariotest"
	"github.com/closetrace/closetrace/model"
)

type truth = scenariotest.Truth

// claims are what a row of the report and its details say, and when it is true. Each
// name is one of them; a value that no expression takes is a failure.
var claims = map[string][]claim{
	"Verdict": {{`(.*)`, func(h *truth, a []string) bool { return a[0] == h.Verdict.String() }}},
	"Cause":   {{`(.*)`, func(h *truth, a []string) bool { return a[0] == h.Cause.String() }}},
	"Process": {
		{`nginx\[812\]`, always},
		{`nginx\[812\], exit`, func(h *truth, _ []string) bool { return exited(h) && !h.OtherCloser() }},
		{`nginx\[812\], exit of (.*)`, func(h *truth, a []string) bool { return exited(h) && h.OtherCloser() && a[0] == closer(h) }},
		{`nginx\[812\], exit signal \d+ \((\w+)\)`, func(h *truth, a []string) bool {
			return a[0] == signals[h.Facts.Closer.Signal] && !h.OtherCloser()
		}},
		{`nginx\[812\], exit signal \d+ \((\w+)\) (.+)`, func(h *truth, a []string) bool {
			return a[0] == signals[h.Facts.Closer.Signal] && h.OtherCloser() && a[1] == closer(h)
		}},
		{`nginx\[812\], reset while the other end was open`, func(h *truth, _ []string) bool { return h.Facts.Evidence.PeerOpen }},
		{`nginx\[812\], closed by (.+)`, func(h *truth, a []string) bool {
			return h.Facts.Closer.Call == model.CallClose && h.OtherCloser() && a[0] == closer(h)
		}},
	},
	"Connection": {{`10.0.0.5:443 ← 10.0.0.9:51034`, always}},
	"Lost":       {{``, func(h *truth, _ []string) bool { return h.Unacked()+h.Unread() == 0 }}, {`(.+)`, func(h *truth, a []string) bool { return a[0] == human.Bytes(h.Unacked()+h.Unread()) }}},
	"Blocked":    {{`(.*)`, func(h *truth, a []string) bool { return a[0] == human.Known(h.Blocked, human.Duration) }}},
	"Duration":   {{`5s`, always}}, "Time": {{`2026-09-21 \S+`, always}}, "record": {{`7f3a-1c`, always}},
	"began by, ended by": {{`(.*), (.*)`, func(h *truth, a []string) bool {
		return a[0] == h.Initiator.String() && a[1] == h.Terminator.String()
	}}},
	"confidence": {{`(\w+)(?:: (.+))?`, func(h *truth, a []string) bool { return a[0] == h.Confidence.String() && a[1] == h.Reason }}},
	"rule":       {{`[a-z0-9-]+`, always}}, // the tests of model say which
	"states": {{`(.*)`, func(h *truth, a []string) bool {
		var names []string
		for _, s := range h.Facts.TCP.Path.States() {
			names = append(names, s.String())
		}
		return a[0] == strings.Join(names, " → ")
	}}},
	"reset's reason": {{`(.*)`, func(h *truth, a []string) bool { return a[0] == h.Facts.TCP.RST.Reason }}},
	"error":          {{`(.*)`, func(h *truth, a []string) bool { return a[0] == h.Facts.TCP.Error }}},
	"retransmitted":  {{`(\d+) segments`, func(h *truth, a []string) bool { return number(a[0]) == uint64(h.Facts.TCP.Retransmits.Or(0)) }}},
	"linger": {
		{`off`, func(h *truth, _ []string) bool { return h.Facts.Linger.On.Is(false) }},
		{`on, time not known(?:: \w+)?`, func(h *truth, _ []string) bool { return lingers(h) && !h.Facts.Linger.Seconds.Known() }},
		{`on, without limit(?:: \w+)?`, func(h *truth, _ []string) bool { return lingers(h) && h.Facts.Linger.Seconds.Or(0) < 0 }},
		{`on, (\d+) s(?:: \w+)?`, func(h *truth, a []string) bool { return lingers(h) && h.Facts.Linger.Seconds.Is(int(number(a[0]))) }},
	},
	"closed by": {
		{`(\w+)`, func(h *truth, a []string) bool {
			return a[0] == h.Facts.Closer.Call.String() && h.Facts.Closer.PID == 0
		}},
		{`(\w+) of (\S+)`, func(h *truth, a []string) bool {
			return a[0] == h.Facts.Closer.Call.String() && a[1] == closer(h) && h.Facts.Closer.Signal == 0
		}},
		{`exit of (\S+) by signal (\d+) \((\w+)\)`, func(h *truth, a []string) bool {
			n := h.Facts.Closer.Signal
			return a[0] == closer(h) && number(a[1]) == uint64(n) && a[2] == signals[n]
		}},
	},
	"bytes when it ended": {{`(.*)`, bytesAreTrue}},
	"why":                 {{`(.*)`, func(h *truth, a []string) bool { return explains(h, a[0]) }}},
}

type claim struct {
	value string
	holds func(*truth, []string) bool
}

// signals are those of the truths, by signal(7).
var signals = map[int]string{9: "SIGKILL", 15: "SIGTERM"}

func always(*truth, []string) bool { return true }

func lingers(h *truth) bool { return h.Facts.Linger.On.Is(true) }

func exited(h *truth) bool {
	return h.Facts.Closer.Call == model.CallExit && h.Facts.Closer.Signal == 0
}

func closer(h *truth) string { return fmt.Sprintf("%s[%d]", h.Facts.Closer.Name, h.Facts.Closer.PID) }

func number(s string) uint64 {
	n, _ := strconv.ParseUint(strings.ReplaceAll(s, ",", ""), 10, 64)
	return n
}

var counted = regexp.MustCompile(`^([\d,]+) (.*)$`)

// bytesAreTrue: each number is that of the fact that it is called.
func bytesAreTrue(h *truth, a []string) bool {
	b := &h.Facts.TCP.Bytes
	facts := map[string]model.Opt[uint64]{"acknowledged": b.Sent, "received": b.Received, "not sent": b.Unsent, "not acknowledged": b.Unacked, "not read": b.Unread}
	for _, part := range strings.Split(a[0], ", ") {
		if m := counted.FindStringSubmatch(part); m == nil || !facts[m[2]].Is(number(m[1])) {
			return false
		}
	}
	return !b.Unacked.Known() || b.Unsent.Or(0) <= b.Unacked.Or(0)
}

// said are the phrases of explanations and when they are true. Each explanation has one.
var said = []struct {
	phrase *regexp.Regexp
	holds  func(*truth) bool
}{
	{regexp.MustCompile(`(?i)both directions were ended by FIN`), func(h *truth) bool {
		return !h.Facts.TCP.FIN.Sent.Is(false) && !h.Facts.TCP.FIN.Received.Is(false)
	}},
	{regexp.MustCompile(`nothing that TCP had promised`), func(h *truth) bool { return h.Unacked() == 0 || h.Verdict == model.LingerTimeout }},
	{regexp.MustCompile(`Our FIN was acknowledged`), func(h *truth) bool { return !h.Facts.TCP.FIN.Sent.Is(false) && !h.Facts.Evidence.FINAcked.Is(false) }},
	{regexp.MustCompile(`the peer's never came`), func(h *truth) bool { return !h.Facts.TCP.FIN.Received.Is(true) }},
	{regexp.MustCompile(`the kernel ended it by RST|data with RST|answered it with RST|RST instead\.`), resets},
	{regexp.MustCompile(`still held data from the peer`), func(h *truth) bool { return h.Facts.TCP.Bytes.Unread.Or(1) > 0 }},
	{regexp.MustCompile(`nothing was sent|reported it to nobody`), func(h *truth) bool { return !h.Facts.TCP.RST.Sent.Is(true) }},
	{regexp.MustCompile(`got no answer|nothing came back|stayed unacknowledged|did not answer|went unanswered|save memory`), func(h *truth) bool {
		return !h.Facts.TCP.RST.Received.Is(true)
	}},
	{regexp.MustCompile(`did not come in time`), func(h *truth) bool { return h.Verdict == model.LingerTimeout }},
	{regexp.MustCompile(`SO_LINGER \{1,0\}`), func(h *truth) bool { return !h.Facts.Linger.On.Is(false) && h.Facts.Linger.Seconds.Or(0) == 0 }},
	{regexp.MustCompile(`AF_UNSPEC`), func(h *truth) bool { return h.Facts.Evidence.Descriptor == model.HolderOpen }},
	{regexp.MustCompile(`nobody had accepted it`), func(h *truth) bool { return !h.Facts.Evidence.Owned.Is(true) }},
	{regexp.MustCompile(`asked Windows|Windows TCP stack|Windows ended`), func(h *truth) bool { return h.Facts.Evidence.Announced != 0 }},
	{regexp.MustCompile(`a trace of Windows or a packet capture does not show why`), func(h *truth) bool { return h.Facts.Evidence.Announced != 0 && resets(h) }},
	{regexp.MustCompile(`MPTCP reset it`), func(h *truth) bool { return h.Facts.Evidence.MPTCP }},
	{regexp.MustCompile(`with the right to do so`), func(h *truth) bool { return h.Terminator == model.Admin }},
	{regexp.MustCompile(`An RST came|answered with RST`), func(h *truth) bool { return !h.Facts.TCP.RST.Received.Is(false) }},
	{regexp.MustCompile(`before the connection was open|While connecting|no free local port`), func(h *truth) bool {
		return !h.Facts.TCP.Path.Has(model.Established)
	}},
	{regexp.MustCompile(`No rule fits`), func(h *truth) bool { return h.Cause == model.CauseUnknown }},
}

// resets: an RST was sent, as far as is known. In LAST_ACK and CLOSING Linux sends none
// (docs/linux.md, fact 12).
func resets(h *truth) bool {
	states := h.Facts.TCP.Path.States()
	if n := len(states); n > 1 && !h.Facts.TCP.RST.Sent.Is(true) && (states[n-2] == model.LastAck || states[n-2] == model.Closing) {
		return false
	}
	return !h.Facts.TCP.RST.Sent.Is(false)
}

func explains(h *truth, text string) bool {
	known := false
	for _, s := range said {
		if s.phrase.MatchString(text) {
			known = true
			if !s.holds(h) {
				return false
			}
		}
	}
	return known
}

var (
	cells   = regexp.MustCompile(`(?s)<td data-h="(\w+)"[^>]*>(.*?)</td>`)
	details = regexp.MustCompile(`(?s)<dt>(.*?)</dt><dd>(.*?)</dd>`)
	why     = regexp.MustCompile(`(?s)<summary>(why)</summary><p>(.*?)</p>`)
	words   = regexp.MustCompile(`(?s)<h2 id="h-conn">Worst connections</h2>\s*<p[^>]*>(.*?)</p>`)
)

// TestRowsAreTrue reads the worst connections of the page of every end.
func TestRowsAreTrue(t *testing.T) {
	for _, p := range scenariotest.Plays(scenariotest.Read(t, "../../model/testdata/scenarios")) {
		t.Run(p.Name, func(t *testing.T) { checkPage(t, &p) })
	}
}

func checkPage(t *testing.T, p *scenariotest.Played) {
	r := New()
	for i := range p.Records {
		r.Add(&p.Records[i])
	}
	var out bytes.Buffer
	if err := r.Write(&out, Options{}); err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(out.String(), `<section id="connections"`)
	section, _, _ = strings.Cut(section, "</section>")
	harmless := p.Verdict == model.Graceful && p.Blocked.Or(0) == 0 && p.Unacked()+p.Unread() == 0
	switch m := words.FindStringSubmatch(section); {
	case m == nil:
		t.Error("the section has no words")
	case m[1] == "All ends that were not graceful, lost bytes or whose close() waited; those that lost or waited most first.":
	case m[1] == "None: every connection ended gracefully, and no close() waited." && harmless:
		return
	default:
		t.Errorf("%q, and that is not so", m[1:])
	}
	said := append(cells.FindAllStringSubmatch(section, -1), details.FindAllStringSubmatch(section, -1)...)
	for _, m := range append(said, why.FindAllStringSubmatch(section, -1)...) {
		name, value := html.UnescapeString(m[1]), html.UnescapeString(strings.TrimSpace(tags.ReplaceAllString(m[2], "")))
		known := false
		for _, c := range claims[name] {
			if a := regexp.MustCompile("^" + c.value + "$").FindStringSubmatch(value); a != nil && c.holds(&p.Truth, a[1:]) {
				known = true
			}
		}
		if !known {
			t.Errorf("the report says %q: %q, and no claim of that kind is true: %+v", name, value, p.Facts)
		}
	}
}

// TestNotAllAreCalledAll: the words over the list hold, whatever was left out.
func TestNotAllAreCalledAll(t *testing.T) {
	for _, test := range []struct {
		reset, waited int
		all           bool
	}{{3, 2, true}, {keptOfCause, keptOfCause, true}, {keptOfCause + 1, 5, false}, {5, keptOfCause + 9, false}} {
		r := New()
		for i := range test.reset + test.waited {
			record := model.Record{Kind: model.KindTeardown}
			end := &record.Teardown
			end.Time, end.Verdict, end.Cause = begin+model.Time(i), model.Abortive, model.CausePeerReset
			if i >= test.reset {
				end.Verdict, end.Cause, end.CloseBlocked = model.Graceful, model.CauseFIN, model.Some(time.Second)
			}
			r.Add(&record)
		}
		if p := r.page(&Options{}); strings.HasPrefix(p.WorstWords, "All ends") != test.all {
			t.Errorf("of %+v with %d rows the page says %q", test, len(p.Worst), p.WorstWords)
		}
	}
}
