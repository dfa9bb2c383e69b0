package tui

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
)

// copyRow copies the selected record, or the text of the selected row, through the
// terminal (OSC 52), so that it works over ssh. Pressed once more it asks for a file,
// because nothing shows whether the terminal took it.
func (s *screen) copyRow() tea.Cmd {
	if s.copied != "" { // of a stream that goes on, the selected record is another one by now
		s.ask(askCopy)
		return nil
	}
	t := s.focus().takeaway(s)
	if t.row == "" {
		s.say(t.what)
		return nil
	}
	s.copied = t.row
	s.say(t.what + sentWord + "; " + s.keys.copyJSON.Help().Key + " again writes it to a file")
	return tea.SetClipboard(t.row)
}

// copyFilter copies what Wireshark needs to show the selected connection or peer.
func (s *screen) copyFilter() tea.Cmd {
	t := s.focus().takeaway(s)
	if t.filter == "" {
		s.say("no address is selected")
		return nil
	}
	s.say(t.filter + sentWord)
	return tea.SetClipboard(t.filter)
}

// sentWord: a terminal does not confirm what it takes; tmux with set-clipboard external
// takes nothing.
const sentWord = ": sent to the terminal (OSC 52)"

// takeRecord is what can be copied of one record.
func (s *screen) takeRecord(r *model.Record) takeaway {
	t := takeaway{what: "JSON is not available here"}
	s.with(func(d *deck) { t.filter = recordFilter(d, &r.Teardown) })
	if s.cfg.JSON != nil {
		t.row, t.what = strings.TrimRight(string(s.cfg.JSON(nil, r)), "\n"), "the record as JSON"
	}
	return t
}

// displayFilter returns Wireshark's display filter for one connection, "" if its addresses
// are not known.
func displayFilter(n *model.Network) string {
	if !n.Local.Address.IsValid() || !n.Peer.Address.IsValid() {
		return ""
	}
	way := func(from, to model.Endpoint) string {
		ip := addressField(from.Address)
		return fmt.Sprintf("(%[1]s.src == %[2]s && tcp.srcport == %[3]d && %[1]s.dst == %[4]s && tcp.dstport == %[5]d)",
			ip, from.Address.WithZone(""), from.Port, to.Address.WithZone(""), to.Port)
	}
	return "(" + way(n.Local, n.Peer) + " || " + way(n.Peer, n.Local) + ")"
}

// recordFilter is that of a record's connection. If d has another one with its addresses,
// the time is part of it.
func recordFilter(d *deck, t *model.Teardown) string {
	filter := displayFilter(&t.Network)
	if filter == "" || !again(d, t) {
		return filter
	}
	from := t.Time.Add(-t.Duration.Or(0) - filterMargin)
	return fmt.Sprintf("%s && frame.time_epoch >= %s && frame.time_epoch <= %s", filter, epoch(from), epoch(t.Time.Add(filterMargin)))
}

// filterMargin is for segments before a connection was established and after its end.
const filterMargin = time.Second

func epoch(t model.Time) string { return fmt.Sprintf("%.6f", float64(t.Go().UnixMicro())/1e6) }

// again reports whether another connection that is kept had the addresses of t.
func again(d *deck, t *model.Teardown) bool {
	for seq := d.journal.first; seq < d.journal.next; seq++ {
		r := d.journal.peek(seq)
		if r.Kind == model.KindTeardown && r.Teardown.Network == t.Network && r.Teardown.ID != t.ID {
			return true
		}
	}
	return false
}

func addressField(a netip.Addr) string {
	if a.Is6() {
		return "ipv6"
	}
	return "ip"
}

func peerFilter(k groupKey) string {
	if !k.prefix.IsValid() {
		return ""
	}
	peer := k.prefix.String()
	if k.prefix.IsSingleIP() {
		peer = k.prefix.Addr().WithZone("").String()
	}
	return "tcp && " + addressField(k.prefix.Addr()) + ".addr == " + peer
}

// copyName is the name that is proposed for a file of what y copied.
func (s *screen) copyName() string {
	name := "closetrace-row-" + inZone(s.wall, s.cfg.Zone).Format("20060102-150405")
	if strings.HasPrefix(s.copied, "{") {
		return name + ".json"
	}
	return name + ".txt"
}

// writeText makes a file of text in the folder that w and R write in.
func (s *screen) writeText(path, text string) tea.Cmd {
	create := s.cfg.Create
	return func() tea.Msg {
		if err := writeNew(path, text, create); err != nil {
			return doneMsg{err: err}
		}
		return doneMsg{text: "wrote " + path}
	}
}

// writeName is the name that w proposes.
func (s *screen) writeName() string {
	name := "closetrace-" + strings.ToLower(s.focus().title()) + "-" + inZone(s.wall, s.cfg.Zone).Format("20060102-150405")
	if s.focus().takeaway(s).records && s.cfg.Record != nil {
		return name + ".jsonl"
	}
	return name + ".txt"
}

// writeView writes the view to a file: the records of the stream as a recording, all
// else as text.
func (s *screen) writeView(path string) tea.Cmd {
	t := s.focus().takeaway(s)
	if t.records && s.cfg.Record != nil {
		d := s.takeShown()
		create := s.cfg.Record
		return func() tea.Msg { return savedMsg{writeRecords(d, path, create)} }
	}
	return s.writeText(path, t.text())
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
	return doneMsg{text: fmt.Sprintf("wrote %s to %s", human.Many(d.hits.len(), "record"), path)}
}

// provenance heads a written table: host, time and, unless it has all ends, as the findings
// have, what was chosen.
func (s *screen) provenance(chosen bool) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			b.WriteString("# " + name + ": " + safetext.Escape(value) + "\n")
		}
	}
	line("host", s.cfg.Start.Host.Name)
	if s.sum.first != 0 {
		line("from", inZone(s.sum.first, s.cfg.Zone).Format(time.RFC3339))
	}
	line("to", inZone(s.now, s.cfg.Zone).Format(time.RFC3339))
	line("traced", s.cfg.Traced)
	if chosen && !s.query.empty() {
		line("filter", strings.TrimPrefix(ansi.Strip(s.filterLine()), "filter  "))
	}
	if chosen && s.minute {
		line("counted", "the last minute")
	}
	return b.String()
}

// taken is the name of a file that exists: the screen has no --force.
type taken string

func (t taken) Error() string { return string(t) + " exists; choose another name" }

func (taken) Is(target error) bool { return target == fs.ErrExist }

// writeNew makes a file that only its owner reads. It never replaces one.
func writeNew(path, text string, create func(string) (*os.File, error)) error {
	f, err := create(path)
	switch {
	case errors.Is(err, fs.ErrExist):
		return taken(path)
	case err != nil:
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
			return doneMsg{text: fmt.Sprintf("recorded %s to %s", human.Many(count, "record"), path), err: err}
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

// quit leaves; if a recording started here is running, it asks first.
func (s *screen) quit() tea.Cmd {
	if s.sum.recording.running {
		s.ask(askQuit)
		return nil
	}
	return tea.Quit
}
