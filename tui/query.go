package tui

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/model"
)

// query chooses records: all parts that are set must hold. Records that are
// not about a connection always pass, as with [model.Filter].
type query struct {
	text  string // quick text: words, each of which must occur; !word must not
	expr  string // an expression of the filter language
	scope *scope // the row of a grouped view that was opened
}

// scope is one row of a grouped view.
type scope struct {
	by  dimension
	key groupKey
}

func (q *query) empty() bool { return q.text == "" && q.expr == "" && q.scope == nil }

// compile returns q as a function for one goroutine, nil if q is empty.
func (q *query) compile() (func(*model.Record) bool, error) {
	if q.empty() {
		return nil, nil
	}
	filter, err := model.CompileFilter(q.expr)
	if err != nil {
		return nil, err
	}
	words := newWords(q.text)
	scope := q.scope
	return func(r *model.Record) bool {
		switch r.Kind {
		case model.KindTeardown, model.KindOutcome, model.KindCloseFailed:
		default:
			return true
		}
		return (scope == nil || scope.by.key(&r.Teardown) == scope.key) && words.match(r) && filter.Match(r)
	}, nil
}

// words matches quick text against the words that a row shows, without regard
// to case. It reuses its buffer.
type words struct {
	wanted, unwanted []string
	buffer           []byte
}

func newWords(text string) *words {
	w := &words{}
	for _, word := range strings.Fields(strings.ToLower(text)) {
		if rest, not := strings.CutPrefix(word, "!"); not {
			if rest != "" {
				w.unwanted = append(w.unwanted, rest)
			}
			continue
		}
		w.wanted = append(w.wanted, word)
	}
	return w
}

func (w *words) match(r *model.Record) bool {
	if len(w.wanted)+len(w.unwanted) == 0 {
		return true
	}
	w.fill(r)
	text := string(w.buffer)
	for _, word := range w.wanted {
		if !strings.Contains(text, word) {
			return false
		}
	}
	for _, word := range w.unwanted {
		if strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// fill writes what is searched into the buffer, in lower case.
func (w *words) fill(r *model.Record) {
	t := &r.Teardown
	b := w.buffer[:0]
	for _, s := range []string{
		r.Kind.String(), t.Verdict.String(), t.Cause.String(), t.Initiator.String(), t.Terminator.String(),
		t.Process.Name, t.Process.Executable.Path, t.Process.User.Name, t.Closer.Name,
		t.Container.Name, t.Container.ID, t.K8s.Pod.Name, t.K8s.Namespace.Name, t.Systemd.Unit,
		t.TCP.Error, t.TCP.RST.Reason, r.Error, t.ID,
	} {
		if s != "" {
			b = append(append(b, s...), '\n')
		}
	}
	b = strconv.AppendInt(b, int64(t.Process.PID), 10)
	b = appendEndpoint(append(b, '\n'), t.Network.Local)
	b = appendEndpoint(append(b, '\n'), t.Network.Peer)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	w.buffer = b
}

func appendEndpoint(b []byte, e model.Endpoint) []byte {
	if !e.Address.IsValid() {
		return strconv.AppendInt(append(b, ':'), int64(e.Port), 10)
	}
	return netip.AddrPortFrom(e.Address, e.Port).AppendTo(b)
}
