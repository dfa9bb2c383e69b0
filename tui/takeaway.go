package tui

import (
	"errors"
	"fmt"
	"os"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
)

// copyJSON copies the selected record, or the text of the selected group,
// through the terminal (OSC 52), so that it works over ssh.
func (s *screen) copyJSON() tea.Cmd {
	if l := s.grouped(); l != nil {
		row := l.current()
		if row == nil {
			return nil
		}
		s.say("copied the row")
		return tea.SetClipboard(strings.Join(s.groupCells(row, l.by), "\t"))
	}
	r := s.chosen()
	switch {
	case r == nil:
		s.say("no record is selected")
		return nil
	case s.cfg.JSON == nil:
		s.say("JSON is not available here")
		return nil
	}
	s.say("copied the record as JSON")
	return tea.SetClipboard(strings.TrimRight(string(s.cfg.JSON(nil, r)), "\n"))
}

// chosen returns the record that is selected or open.
func (s *screen) chosen() *model.Record {
	switch row := s.stream.current(); {
	case s.detail != nil:
		return &s.detail.rec
	case s.view == streamView && row != nil:
		return &row.rec
	default:
		return nil
	}
}

// copyFilter copies what tcpdump needs to see the selected connection or peer.
func (s *screen) copyFilter() tea.Cmd {
	text := ""
	if l := s.grouped(); l != nil {
		if row := l.current(); row != nil {
			text = peerFilter(row.key)
		}
	} else if r := s.chosen(); r != nil {
		text = tcpdumpFilter(&r.Teardown.Network)
	}
	if text == "" {
		s.say("no address is selected")
		return nil
	}
	s.say("copied: " + text)
	return tea.SetClipboard(text)
}

// tcpdumpFilter returns a pcap filter for one connection, "" if its addresses
// are not known.
func tcpdumpFilter(n *model.Network) string {
	if !n.Local.Address.IsValid() || !n.Peer.Address.IsValid() {
		return ""
	}
	one := func(e model.Endpoint) string {
		return fmt.Sprintf("host %s and port %d", e.Address.WithZone(""), e.Port)
	}
	return "tcp and " + one(n.Local) + " and " + one(n.Peer)
}

func peerFilter(k groupKey) string {
	switch {
	case !k.prefix.IsValid():
		return ""
	case k.prefix.IsSingleIP():
		return "tcp and host " + k.prefix.Addr().String()
	default:
		return "tcp and net " + k.prefix.String()
	}
}

// groupCells returns a whole row as text.
func (s *screen) groupCells(row *groupRow, by dimension) []string {
	cells := make([]string, 0, groupColumns)
	for col := range colSpark {
		if col == colWhere && by != byProgram && by != byProcess || col == colMostly && by == byCause {
			continue
		}
		cells = append(cells, strings.TrimSpace(s.groupCell(row, by, col, 1<<10)))
	}
	return cells
}

// writeName is the name that w proposes.
func (s *screen) writeName() string {
	name := "closetrace-" + strings.ToLower(s.view.String()) + "-" + inZone(s.wall, s.cfg.Zone).Format("20060102-150405")
	if s.view == streamView && s.cfg.Record != nil {
		return name + ".jsonl"
	}
	return name + ".txt"
}

// writeView writes the view to a file: the records of the stream as a
// recording, a grouped view as text.
func (s *screen) writeView(path string) tea.Cmd {
	if s.view == streamView && s.cfg.Record != nil {
		d := s.takeSnapshot()
		if s.frozen != nil {
			d.journal.next, d.hits = s.frozen.journal.next, s.frozen.hits.copy()
		}
		create := s.cfg.Record
		return func() tea.Msg { return savedMsg{writeRecords(d, path, create)} }
	}
	text := s.viewText()
	return func() tea.Msg {
		if err := writeNew(path, text); err != nil {
			return doneMsg{err: err}
		}
		return doneMsg{text: "wrote " + path}
	}
}

func writeRecords(d *deck, path string, create func(string) (Recorder, error)) doneMsg {
	to, err := create(path)
	if err != nil {
		return doneMsg{err: err}
	}
	for i := range d.hits.len() {
		if err := to.Write(d.journal.at(d.hits.at(i))); err != nil {
			return doneMsg{err: fmt.Errorf("write %s: %w", path, errors.Join(err, to.Close()))}
		}
	}
	if err := to.Close(); err != nil {
		return doneMsg{err: fmt.Errorf("close %s: %w", path, err)}
	}
	return doneMsg{text: fmt.Sprintf("wrote %s records to %s", human.Count(uint64(d.hits.len())), path)}
}

// viewText is the whole view as a table with tabs, or the lines of the stream.
func (s *screen) viewText() string {
	var b strings.Builder
	switch l := s.grouped(); {
	case l != nil:
		columns := groupTable(l.by, s.width, &asciiGlyphs)
		for col := range colSpark {
			if title := columns[col].title; title != "" {
				b.WriteString(strings.TrimLeft(title, "GALF") + "\t")
			}
		}
		b.WriteByte('\n')
		for i := range l.all {
			b.WriteString(strings.Join(s.groupCells(&l.all[i], l.by), "\t") + "\n")
		}
	case s.view == openView:
		b.WriteString(s.conns.text(s))
	default:
		options := LineOptions{ASCII: s.cfg.ASCII, Date: true, Zone: s.cfg.Zone}
		b.WriteString(LineHeader(options) + "\n")
		s.with(func(d *deck) {
			for i := range d.hits.len() {
				b.WriteString(Line(d.journal.at(d.hits.at(i)), options) + "\n")
			}
		})
	}
	return b.String()
}

// writeNew makes a file that only its owner reads. It never replaces one.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// toggleRecording asks for a file, or ends the recording that is running.
func (s *screen) toggleRecording() tea.Cmd {
	switch {
	case s.cfg.Record == nil:
		s.say("recording is not available here")
	case s.sum.recording.running:
		rec := &s.in.recording
		return func() tea.Msg {
			path, count, err := rec.end()
			return doneMsg{text: fmt.Sprintf("recorded %s records to %s", human.Count(count), path), err: err}
		}
	default:
		s.ask(askRecord)
	}
	return nil
}

func (s *screen) startRecording(path string) tea.Cmd {
	rec, create := &s.in.recording, s.cfg.Record
	return func() tea.Msg {
		if err := rec.begin(path, create); err != nil {
			return doneMsg{err: err}
		}
		return doneMsg{text: "recording to " + path}
	}
}

// quit leaves; with a recording that was started here and runs, it asks.
func (s *screen) quit() tea.Cmd {
	if s.sum.recording.running {
		s.ask(askQuit)
		return nil
	}
	return tea.Quit
}
