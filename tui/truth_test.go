package tui

import (
	"regexp"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/lab/scenariotest"
	"github.com/closetrace/closetrace/model"
)

// truth is what really happened to an end, from the test that played or described it.
type truth struct {
	fin             model.FIN
	path            model.Path
	call            model.Call
	signal          int
	owner, closer   int
	unacked, unread model.Opt[uint64]
}

func (h *truth) other() bool { return h.owner != 0 && h.closer != 0 && h.owner != h.closer }

// claims are the sentences of a story that say that something happened, and when
// they are true. Every sentence of a time line is one of them.
var claims = []struct {
	sentence *regexp.Regexp
	holds    func(*truth) bool
}{
	{regexp.MustCompile(`^opened|^connect\(\) called$`), func(*truth) bool { return true }},
	{regexp.MustCompile(`^established$`), func(h *truth) bool { return h.path.Has(model.Established) }},
	{regexp.MustCompile(`^we sent the first FIN|^we sent our FIN too`), func(h *truth) bool { return !h.fin.Sent.Is(false) }},
	{regexp.MustCompile(`^both FINs`), func(h *truth) bool { return !h.fin.Sent.Is(false) && !h.fin.Received.Is(false) }},
	{regexp.MustCompile(`exchanged`), func(h *truth) bool { return h.fin.Sent.Is(true) && h.fin.Received.Is(true) }},
	{regexp.MustCompile(`our FIN never left|ours never left`), func(h *truth) bool { return !h.fin.Sent.Is(true) }},
	{regexp.MustCompile(`^we closed`), func(h *truth) bool { return h.path.Has(model.FinWait1) || h.path.Has(model.LastAck) }},
	{regexp.MustCompile(`^the peer acknowledged our FIN`), func(h *truth) bool { return !h.fin.Sent.Is(false) }},
	{regexp.MustCompile(`^the peer's FIN came`), func(h *truth) bool { return !h.fin.Received.Is(false) }},
	{regexp.MustCompile(`^the kernel kept the addresses in TIME_WAIT$`), func(h *truth) bool { return h.path.Has(model.TimeWait) }},
	{regexp.MustCompile(`^close\(\) called`), func(h *truth) bool { return h.call != model.CallShutdown && h.call != model.CallExit }},
	{regexp.MustCompile(`^shutdown\(\) called`), func(h *truth) bool { return h.call == model.CallShutdown }},
	{regexp.MustCompile(`^connect\(AF_UNSPEC\)`), func(h *truth) bool { return h.call == model.CallDisconnect }},
	{regexp.MustCompile(`^an administrator`), func(h *truth) bool { return h.call == model.CallDestroy }},
	{regexp.MustCompile(` exited`), func(h *truth) bool { return h.call == model.CallExit && h.signal == 0 }},
	{regexp.MustCompile(` was killed by SIGKILL`), func(h *truth) bool { return h.call == model.CallExit && h.signal == 9 }},
	{regexp.MustCompile(` was killed by SIGTERM`), func(h *truth) bool { return h.call == model.CallExit && h.signal == 15 }},
	{regexp.MustCompile(`^the process (exited|was killed)`), func(h *truth) bool { return !h.other() }},
	{regexp.MustCompile(`\[\d+\] (exited|was killed)|called by .*\[\d+\]`), (*truth).other},
	{regexp.MustCompile(`^ended: |^close\(\) stopped waiting: `), func(*truth) bool { return true }},
}

// numberFields are the fields of a story that are checked, by their names.
var numberFields = map[string]func(*truth) model.Opt[uint64]{
	"unacked": func(h *truth) model.Opt[uint64] { return h.unacked },
	"unread":  func(h *truth) model.Opt[uint64] { return h.unread },
}

var momentLine = regexp.MustCompile(`^  (?:[\d:.]{15}|\s{15}) .{8}  (\S.*)$`)

// eventsLost matches our own losses, which an end may give as a reason:
// model.Cause.Because.
var eventsLost = regexp.MustCompile(`events (around this end )?were lost`)

// checkStory checks each sentence of the story of r against the truth.
func checkStory(t *testing.T, r *model.Record, h *truth) {
	t.Helper()
	s := &story{rec: r, pal: &plainPalette, g: &unicodeGlyphs, width: 200}
	said := 0
	for _, line := range s.tell() {
		if strings.Contains(eventsLost.ReplaceAllString(line, ""), "lost") {
			t.Errorf("%q says that something was lost, which one end cannot know", line)
		}
		for name, want := range numberFields {
			value, is := strings.CutPrefix(line, "  "+left(name, fieldWidth, ""))
			if n, known := want(h).Get(); is && known && !strings.HasPrefix(value, knownSize(model.Some(n))) {
				t.Errorf("%q, want %d bytes", line, n)
			}
		}
		sentence := momentLine.FindStringSubmatch(line)
		if sentence == nil {
			continue
		}
		said++
		known := false
		for _, c := range claims {
			if c.sentence.MatchString(sentence[1]) {
				known = true
				if !c.holds(h) {
					t.Errorf("the story says %q, and that is not so: %+v", sentence[1], *h)
				}
			}
		}
		if !known {
			t.Errorf("no truth is known for the sentence %q", sentence[1])
		}
	}
	if said == 0 {
		t.Errorf("no sentence in %q", s.lines)
	}
}

// TestStoriesOfScenarios renders every scenario of the model.
func TestStoriesOfScenarios(t *testing.T) {
	for _, h := range scenariotest.Read(t, "../model/testdata/scenarios") {
		t.Run(h.Name, func(t *testing.T) {
			f := h.Facts
			r := model.Record{Kind: model.KindTeardown, Teardown: model.Judge(f)}
			r.Teardown.Time = at
			checkStory(t, &r, &truth{
				fin: f.TCP.FIN, path: f.TCP.Path, call: f.Closer.Call, signal: f.Closer.Signal,
				owner: f.Process.PID, closer: f.Closer.PID, unacked: f.TCP.Bytes.Unacked, unread: f.TCP.Bytes.Unread,
			})
		})
	}
}

// TestStoryOfTimeWait: case 06, gunicorn with 2 s keep-alive. The later record of a
// TIME_WAIT that the peer never sent a FIN to.
func TestStoryOfTimeWait(t *testing.T) {
	r := teardown()
	r.Kind = model.KindOutcome
	r.Teardown.TCP.Path, r.Teardown.Closer.Call = model.PathOf(model.TimeWait), model.CallUnknown
	for _, fin := range []model.FIN{{}, {Sent: model.Some(true)}, {Sent: model.Some(true), Received: model.Some(false)}, {Sent: model.Some(true), Received: model.Some(true)}} {
		r.Teardown.TCP.FIN = fin
		checkStory(t, &r, &truth{fin: fin, path: r.Teardown.TCP.Path})
	}
}

// TestStoryOfAnotherCloser: case 04, a forked child holds the descriptor until it exits.
func TestStoryOfAnotherCloser(t *testing.T) {
	for _, signal := range []int{0, 9, 15} {
		r := teardown()
		r.Teardown.Process = model.Process{PID: 812, Name: "redis-server"}
		r.Teardown.Closer = model.Closer{PID: 901, Name: "redis-rdb-bgsave", Call: model.CallExit, Signal: signal}
		h := truth{call: model.CallExit, signal: signal, owner: 812, closer: 901}
		checkStory(t, &r, &h)
		r.Teardown.Closer.PID, h.closer = 812, 812
		checkStory(t, &r, &h)
	}
}

// TestStoryOfUnacknowledgedBytes: what was not acknowledged is never called lost, and
// what is known later is shown.
func TestStoryOfUnacknowledgedBytes(t *testing.T) {
	expired := teardown()
	expired.Teardown.Verdict = model.LingerTimeout
	later := expired
	later.Kind, later.Teardown.Verdict = model.KindOutcome, model.Graceful
	later.Teardown.TCP.Bytes.Unacked = model.Some(uint64(0))
	other := teardown()
	other.Teardown.TCP.Bytes = model.Bytes{Received: model.Some(uint64(1205))}
	for _, test := range []struct {
		name    string
		rec     model.Record
		related related
		want    string
	}{
		{"nothing else is known", teardown(), related{}, "never acknowledged: the peer may not have it"},
		{"the kernel goes on", expired, related{}, "when close() stopped waiting; the kernel goes on sending"},
		{"case 05: the client got all", expired, related{outcome: &later}, "not acknowledged then; all of it was later"},
		{"the other end had read it", teardown(), related{otherEnd: &other}, "the other end had received all that left"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := test.rec
			r.Teardown.TCP.Bytes = model.Bytes{Sent: model.Some(uint64(1000)), Unacked: model.Some(uint64(205)), Unsent: model.Some(uint64(0))}
			s := &story{rec: &r, related: test.related, pal: &plainPalette, g: &unicodeGlyphs, width: 200}
			if text := strings.Join(s.tell(), "\n"); !strings.Contains(text, "unacked            205 B ") || !strings.Contains(text, test.want) {
				t.Errorf("no %q in\n%s", test.want, text)
			}
		})
	}
}
