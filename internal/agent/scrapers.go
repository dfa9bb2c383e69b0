package agent

import (
	"net"
	"net/http"
	"slices"
	"sync"
)

// mostScrapers bounds the connections to /metrics, which every user of the host can open:
// each takes 20 kB and a descriptor, also one that asks for nothing.
const mostScrapers = 64

// scrapers closes connections past the bound, first the one that has waited longest for
// its next request.
type scrapers struct {
	mu      sync.Mutex
	open    int
	waiting []net.Conn // the longest first
}

// changed is an [http.Server.ConnState].
func (s *scrapers) changed(c net.Conn, to http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch to {
	case http.StateNew:
		s.open++
		s.waiting = append(s.waiting, c)
		if s.open > mostScrapers {
			_ = s.waiting[0].Close() // the server then says that it is closed
			s.waiting = s.waiting[1:]
		}
	case http.StateIdle:
		s.waiting = append(s.waiting, c)
	case http.StateActive:
		s.forget(c)
	case http.StateClosed, http.StateHijacked:
		s.open--
		s.forget(c)
	}
}

func (s *scrapers) forget(c net.Conn) {
	s.waiting = slices.DeleteFunc(s.waiting, func(one net.Conn) bool { return one == c })
}
