package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// view is one of the tables of the screen, or the detail that lies over one. A new
// one is a file with a type that has these methods, and a line in newViews; what
// it shows comes from the deck, or, if it is a [loader], from a command.
//
// Update calls all methods except draw, which only reads.
type view interface {
	// title is the name on the tab.
	title() string
	// keys are what it does beyond what all views do, the most important first.
	keys(s *screen) []action
	// rows copies what the next frame shows, height lines of it, out of d. It is
	// called while d is locked.
	rows(s *screen, d *deck, height int)
	// move moves the selection by n rows; by toFirst or toLast, to an end.
	move(s *screen, n int)
	// enter opens the selected row.
	enter(s *screen)
	// takeaway is what of it can be copied and written.
	takeaway(s *screen) takeaway
	// draw returns a line of titles and the rows.
	draw(s *screen, width int) []string
}

// newViews returns the views in the order of their tabs.
func newViews(s *screen) []view {
	return []view{
		&s.found, &s.stream, &s.groups[causeTable], &s.groups[processTable], &s.groups[peerTable], &s.conns,
		&s.groups[pairTable],
	}
}

// What a view may implement as well.
type (
	// loader asks for its rows while it is shown.
	loader interface {
		poll(s *screen) tea.Cmd
	}
	// chooser is called when another query is set; nil chooses all.
	chooser interface {
		choose(m *matcher)
	}
	// clicker selects the row that is drawn in a line below the titles.
	clicker interface {
		clicked(s *screen, line int)
	}
	// headed sorts by the column that is drawn at x of the line of titles.
	headed interface {
		sortAt(s *screen, x int)
	}
	// counted says how much of what it has is shown, if that is not connection ends.
	counted interface {
		counted() (shown, all int, noun string)
	}
)

// The ends of a table, as arguments of move.
const (
	toFirst = -1 << 30
	toLast  = 1 << 30
)

// action is what a key does. A nil do is a key that another one stands for in the footer.
type action struct {
	key key.Binding
	do  func(*screen) tea.Cmd
}

// act is an action that is done at once.
func act(b key.Binding, do func(*screen)) action {
	return action{b, func(s *screen) tea.Cmd { do(s); return nil }}
}

// takeaway is what y, Y and w take out of a view.
type takeaway struct {
	row    string        // what y copies, "" for nothing
	what   string        // what row is; without a row, why there is none
	filter string        // what Y copies, for Wireshark
	text   func() string // the whole view, what w writes
	// records: w writes the chosen records as a recording, if that is offered.
	records bool
}

// focus returns what gets the keys: the detail if it is open, else the view.
func (s *screen) focus() view {
	if s.detail != nil {
		return s.detail
	}
	return s.view
}

// show goes to another view.
func (s *screen) show(v view) {
	s.view = v
	s.closeDetail()
	if l, is := v.(*groupList); is {
		l.stale = true
	}
}

// showNext goes to the view that is n tabs to the right.
func (s *screen) showNext(n int) {
	for i, v := range s.views {
		if v == s.view {
			s.show(s.views[(i+n+len(s.views))%len(s.views)])
			return
		}
	}
}
