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
	bad   bool   // no graceful ends
	scope *scope // the row of a grouped view, or the finding, that was opened
}

// scope is one row of a grouped view, or a finding.
type scope struct {
	by      dimension
	key     groupKey
	finding string // its name
	expr    string // the expression that selects its ends
	from    view   // that it was opened in
}

func (sc *scope) noun(g *glyphs) string {
	if sc.finding != "" {
		return "finding is " + sc.finding
	}
	return dimensions[sc.by].noun + " is " + dimensions[sc.by].title(&sc.key, 60, g)
}

func (q *query) empty() bool { return q.text == "" && q.expr == "" && !q.bad && q.scope == nil }

// matcher is a query for one goroutine; nil is one that is empty.
type matcher struct {
	scope  *scope
	found  *model.Filter // of a scope that is a finding
	words  *words
	filter *model.Filter
	bad    bool
}

func (q *query) compile() (*matcher, error) {
	if q.empty() {
		return nil, nil
	}
	filter, err := model.CompileFilter(q.expr)
	if err != nil {
		return nil, err
	}
	m := &matcher{scope: q.scope, words: newWords(q.text), filter: filter, bad: q.bad}
	if q.scope != nil && q.scope.finding != "" {
		m.found, err = model.CompileFilter(q.scope.expr)
	}
	return m, err
}

func (m *matcher) holds(r *model.Record) bool {
	return m.inScope(r) && m.filter.Match(r)
}

func (m *matcher) inScope(r *model.Record) bool {
	switch {
	case m.scope == nil:
		return true
	case m.found != nil:
		return m.found.Match(r)
	case r.Kind == model.KindCounts && !dimensions[m.scope.by].counted:
		return false
	}
	return dimensions[m.scope.by].key(&r.Teardown) == m.scope.key
}

// record returns what chooses records, nil for all.
func (m *matcher) record() func(*model.Record) bool {
	if m == nil {
		return nil
	}
	return func(r *model.Record) bool {
		switch r.Kind {
		case model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindStray:
		case model.KindCounts:
			ordinary := *r
			r = &ordinary
			r.Teardown.Verdict, r.Teardown.Cause = model.Graceful, model.CauseFIN
		default:
			return true
		}
		return (!m.bad || r.Teardown.Verdict != model.Graceful) && m.words.match(r) && m.holds(r)
	}
}

// open returns what chooses open connections, nil for all. An expression asks
// them as it does a record: what only an end has is unknown.
func (m *matcher) open() func(*OpenConn) bool {
	if m == nil {
		return nil
	}
	return func(c *OpenConn) bool {
		return m.words.matchOpen(c) && m.holds(&model.Record{Kind: model.KindTeardown, Teardown: model.Teardown{Facts: c.Facts}})
	}
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
	t := &r.Teardown
	if len(w.wanted) == 1 && len(w.unwanted) == 0 && strings.EqualFold(w.wanted[0], t.ID) {
		return true // a whole ID, not a part of one: parts look like hexadecimal words
	}
	w.fill(&t.Facts, r.Kind.String(), t.Verdict.String(), t.Cause.String(), t.Initiator.String(), t.Terminator.String(), r.Error)
	return w.inBuffer()
}

func (w *words) matchOpen(c *OpenConn) bool {
	w.fill(&c.Facts, c.State.String(), c.Where, c.OnClose)
	return w.inBuffer()
}

func (w *words) inBuffer() bool {
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

// fill writes what is searched into the buffer, in lower case: what stands in the
// row, and facts.
func (w *words) fill(t *model.Facts, row ...string) {
	b := appendWords(appendWords(w.buffer[:0], row...),
		t.Process.Name, t.Process.Script, t.Process.Executable.Path, t.Process.User.Name, t.Closer.Name,
		t.Container.Name, t.Container.ID, t.K8s.Pod.Name, t.K8s.Namespace.Name, t.Systemd.Unit, t.Process.Service,
		t.TCP.Error, t.TCP.RST.Reason)
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

func appendWords(b []byte, words ...string) []byte {
	for _, s := range words {
		if s != "" {
			b = append(append(b, s...), '\n')
		}
	}
	return b
}

func appendEndpoint(b []byte, e model.Endpoint) []byte {
	if !e.Address.IsValid() {
		return strconv.AppendInt(append(b, ':'), int64(e.Port), 10)
	}
	return netip.AddrPortFrom(e.Address, e.Port).AppendTo(b)
}
