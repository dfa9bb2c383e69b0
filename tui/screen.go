package tui

import (
	"os"
	"time"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/viewport"
	tea "charm.land/bubbletea/v2"

	"github.com/closetrace/closetrace/internal/safefile"
	"github.com/closetrace/closetrace/model"
)

// The smallest screen on which the tables can be read.
const (
	minWidth  = 60
	minHeight = 12
)

// wideDetail is the width from which the detail stands beside the table.
const wideDetail = 160

// frame is how often the view takes in what came: every change of state is
// shown at once, new records ten times a second.
const frame = 100 * time.Millisecond

// screen is the one tea.Model. Its state is changed by Update only; View draws
// it and reads nothing else.
type screen struct {
	cfg     Config
	in      *intake
	keys    keyMap
	keyHelp help.Model
	pal     *palette
	g       *glyphs

	width, height int
	now           model.Time // of the last tick; in a replay, of its position
	wall          model.Time // of the last tick
	views         []view     // in the order of the tabs
	view          view       // the one that is shown
	minute        bool       // the grouped views count the last minute only
	query         query
	frozen        *deck  // what is shown while paused and in a replay
	pausedAt      uint64 // the number of the next record when the pause began
	sum           summary

	found  findingList
	stream streamList
	groups []groupList
	conns  openList
	detail *detail
	help   bool
	pages  viewport.Model // of the help
	prompt *prompt
	notice notice
	replay *player
	mouse  bool

	copied   string   // what y sent to the terminal; "" after another key, or when its notice goes
	exprs    []string // that were asked for, the last one last
	recalled int      // the one of them that the question shows; beyond them, none

	cost    model.Cost // as the help shows it
	costing bool       // and it is being asked for

	signals chan os.Signal // to stop and to go on
}

// notice is one line for the user, shown for a while.
type notice struct {
	text  string
	loud  bool
	until model.Time
}

// The messages of the screen.
type (
	tickMsg model.Time
	doneMsg struct { // a command has done what a key asked for
		text string
		err  error
	}
	savedMsg struct{ doneMsg }   // and does not read its snapshot any more
	asideMsg struct{ stop bool } // a signal: stop, or take the terminal again
	costMsg  model.Cost          // what the trace has cost
	backMsg  doneMsg             // and the terminal was not ours meanwhile
)

func newScreen(cfg Config, in *intake) *screen {
	s := &screen{cfg: cfg, in: in, keys: newKeyMap(), g: glyphsFor(cfg.ASCII)}
	s.stream.follow = true
	s.notice = notice{text: cfg.Notice, loud: cfg.Notice != ""}
	if cfg.Create == nil {
		s.cfg.Create = func(path string) (*os.File, error) { return safefile.Create(path, false) }
	}
	for _, g := range groupings {
		s.groups = append(s.groups, groupList{by: g.by, name: g.title})
	}
	s.views = newViews(s)
	s.view = &s.stream
	if cfg.Replay != nil {
		s.replay = &player{speed: cfg.Replay.Speed}
		in.deck.countDropped()
	}
	s.setBackground(cfg.Background != BackgroundLight)
	return s
}

func (s *screen) setBackground(dark bool) {
	switch {
	case s.cfg.NoColor:
		s.pal = &monoPalette
	case dark:
		s.pal = &darkPalette
	default:
		s.pal = &lightPalette
	}
	s.keyHelp = newKeyHelp(s.pal, s.g)
}

// Init implements [tea.Model].
func (s *screen) Init() tea.Cmd {
	if s.cfg.Background == BackgroundAuto && !s.cfg.NoColor {
		return tea.Batch(s.tick(), tea.RequestBackgroundColor)
	}
	return s.tick()
}

// tick is the only reader of the clock.
func (s *screen) tick() tea.Cmd {
	now := s.cfg.Now
	return tea.Tick(frame, func(time.Time) tea.Msg { return tickMsg(model.TimeOf(now())) })
}

// Update implements [tea.Model].
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	_, ticked := msg.(tickMsg)
	s.stream.stale = s.stream.stale || !ticked
	switch msg := msg.(type) {
	case tickMsg:
		cmd = tea.Batch(s.tick(), s.ticked(model.Time(msg)))
		if s.cfg.Findings != nil {
			s.found.take(s.cfg.Findings())
		}
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		if s.cfg.Background == BackgroundAuto {
			s.setBackground(msg.IsDark())
		}
	case tea.KeyPressMsg:
		cmd = s.pressed(msg)
	case asideMsg:
		cmd = s.goAside(msg.stop)
		if msg.stop {
			cmd = s.suspend()
		}
	case tea.ResumeMsg:
		cmd = tea.ClearScreen
	case backMsg:
		s.done(doneMsg(msg))
		cmd = tea.ClearScreen
	case tea.PasteMsg:
		cmd = s.prompt.update(msg)
		s.promptChanged()
	case tea.MouseWheelMsg:
		s.wheel(msg)
	case tea.MouseClickMsg:
		s.clicked(msg)
	case doneMsg:
		s.done(msg)
	case savedMsg:
		s.releaseSnapshot()
		s.done(msg.doneMsg)
	case costMsg:
		cmd = s.takeCost(msg)
	case connsMsg:
		s.conns.take(msg)
	}
	s.refresh()
	return s, cmd
}

// ticked moves time on.
func (s *screen) ticked(now model.Time) tea.Cmd {
	before := s.wall
	s.wall = now
	if s.replay != nil {
		s.replayTick(now, before)
	} else if !s.paused() {
		s.now = now
	}
	if s.notice.until != 0 && now > s.notice.until {
		s.notice, s.copied = notice{}, ""
	}
	if s.cfg.LeaveAtEnd && s.sum.ended && !s.paused() && s.detail == nil && s.prompt == nil {
		return tea.Quit
	}
	if l, loads := s.view.(loader); loads {
		return l.poll(s)
	}
	return nil
}

// paused reports whether the view stands still; a replay has its own way.
func (s *screen) paused() bool { return s.frozen != nil && s.replay == nil }

// with calls f with what the screen shows. While it is live, the intake waits.
func (s *screen) with(f func(*deck)) {
	if s.frozen != nil {
		f(s.frozen)
		return
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	f(s.in.deck)
}

// refresh copies what the next frame shows.
func (s *screen) refresh() {
	s.takeState()
	s.with(func(d *deck) {
		s.sum.take(d, s.now, s.width)
		height := s.tableHeight() - 1
		s.view.rows(s, d, height)
		if s.detail != nil {
			s.detail.rows(s, d, height+1)
		}
	})
	if s.paused() {
		s.in.mu.Lock()
		s.sum.end = s.in.deck.journal.next
		s.sum.lost = s.in.deck.all.lost
		s.in.mu.Unlock()
	}
	s.pages.SetWidth(s.width)
	s.pages.SetHeight(s.tableHeight())
}

// takeState copies what the intake says about itself.
func (s *screen) takeState() {
	s.sum.recording = s.in.recording.state(s.sum.recording)
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.sum.ended, s.sum.err, s.sum.stop = s.in.ended, s.in.err, s.in.stop
}
