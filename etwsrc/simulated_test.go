package etwsrc

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// simulated is a Windows for tests: the calls of ETW, and clocks. It runs on
// the time of the test's bubble. What goes wrong is said in its fields.
type simulated struct {
	mutex sync.Mutex
	// running sessions by name; taken are names that are refused, by number of
	// the attempt.
	live  map[string]chan struct{}
	taken int
	// alive are the processes that run, by PID.
	alive map[uint32]uint64
	// refuse are the errors of EnableTraceEx2 by provider.
	refuse map[raw.Provider]uint32
	// plain: there is no filter by event.
	plain   bool
	lost    losses
	rooms   []buffers
	enabled map[raw.Provider]int
	asked   map[raw.Provider][]uint16
	stopped []string
	// began is when the test began, wallAhead how far the system's clock is
	// ahead of the session's.
	began     time.Time
	wallAhead time.Duration
	cores     int
	// script plays the session: it hands events over, in its own thread.
	script func(play *playing)
	// failed is what ProcessTrace returns.
	failed uint32
}

func newSimulated() *simulated {
	return &simulated{
		live: map[string]chan struct{}{}, alive: map[uint32]uint64{42: 4200}, refuse: map[raw.Provider]uint32{},
		enabled: map[raw.Provider]int{}, asked: map[raw.Provider][]uint16{}, began: time.Now(), cores: 4,
	}
}

func (s *simulated) start(name string, b buffers) (uint64, uint32) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.taken > 0 {
		s.taken--
		return 0, codeAlreadyExists
	}
	s.live[name] = make(chan struct{})
	s.rooms = append(s.rooms, b)
	return 7, 0
}

func (s *simulated) query(uint64) (losses, uint32) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.live) == 0 {
		return losses{}, codeNoSession
	}
	return s.lost, 0
}

func (s *simulated) update(_ uint64, b buffers) uint32 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.rooms = append(s.rooms, b)
	return 0
}

func (s *simulated) stop(name string) uint32 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	end, ok := s.live[name]
	if !ok {
		return codeNoSession
	}
	close(end)
	delete(s.live, name)
	s.stopped = append(s.stopped, name)
	return 0
}

func (s *simulated) enable(_ uint64, p raw.Provider, _ uint8, _ uint64, ids []uint16) uint32 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.plain && ids != nil {
		return codeInvalidParameter
	}
	if code := s.refuse[p]; code != 0 {
		return code
	}
	s.enabled[p]++
	s.asked[p] = ids
	return 0
}

func (s *simulated) sessions() ([]string, uint32) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var names []string
	for name := range s.live {
		names = append(names, name)
	}
	return names, 0
}

func (s *simulated) process(name string, take func(*raw.Event, int64)) uint32 {
	s.mutex.Lock()
	end := s.live[name]
	s.mutex.Unlock()
	if end == nil {
		return codeNoSession
	}
	if s.script != nil {
		s.script(&playing{s, take, end})
	}
	if s.failed == 0 {
		<-end
	}
	return s.failed
}

func (s *simulated) ticks() int64             { return s.at(time.Since(s.began)) }
func (s *simulated) at(d time.Duration) int64 { return 5_000_000_000 + int64(d)/100 }
func (s *simulated) frequency() int64         { return 10_000_000 }
func (s *simulated) cpus() int                { return s.cores }

func (s *simulated) wall() model.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return model.TimeOf(time.Now().Add(s.wallAhead))
}

func (s *simulated) running(pid uint32, began uint64) bool { return s.alive[pid] == began }
func (s *simulated) self() (uint32, uint64)                { return 42, 4200 }

// playing is a session under way.
type playing struct {
	*simulated
	take func(*raw.Event, int64)
	end  chan struct{}
}

// events hands events over at their time after the begin, late by up to a
// second, as buffers are. Their Time counts from 0.
func (p *playing) events(list []raw.Event) {
	begin := time.Since(p.began)
	for i := range list {
		e := list[i]
		due := begin + time.Duration(e.Time)
		if wait := due.Truncate(time.Second) + time.Second - time.Since(p.began); wait > 0 && !p.sleep(wait) {
			return
		}
		p.take(&e, p.at(due))
	}
}

// sleep returns false if the session ends meanwhile.
func (p *playing) sleep(d time.Duration) bool {
	select {
	case <-p.end:
		return false
	case <-time.After(d):
		return true
	}
}

// lose lets the session lose events and buffers, and say so in its stream.
func (p *playing) lose(events, buffers uint32) {
	p.mutex.Lock()
	p.lost.events += events
	p.lost.buffers += buffers
	p.mutex.Unlock()
	now := p.ticks()
	for range events {
		p.take(&raw.Event{Provider: raw.LostEvents.GUID(), Opcode: 32}, now)
	}
	for range buffers {
		p.take(&raw.Event{Provider: raw.LostEvents.GUID(), Opcode: 33}, now)
	}
}

// set moves the system's clock.
func (p *playing) set(ahead time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.wallAhead = ahead
}

// disordered moves each event by up to 120 ms, as the buffers of many CPUs do.
func disordered(list []raw.Event, random *rand.Rand) []raw.Event {
	for i := range list {
		k := i + random.IntN(min(64, len(list)-i))
		for list[k].Time.Sub(list[i].Time).Abs() > 120*ms {
			k--
		}
		list[i], list[k] = list[k], list[i]
	}
	return list
}

// nobody are the processes of a machine without any.
type nobody struct{ clocks []*sessionClock }

func (*nobody) see(uint32)                             {}
func (n *nobody) fill(_ *model.Facts, c *sessionClock) { n.clocks = append(n.clocks[:0], c) }
func (*nobody) close()                                 {}
