package agent

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is systemd's end of the service, or nothing. It is opened before the
// sandbox is entered, which lets no socket of Unix be made.
type Manager struct{ conn *net.UnixConn }

// OpenManager connects to the systemd that started this process, if one did. One that
// cannot be reached is as none: it notices by itself that nobody is ready.
func OpenManager() *Manager {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return &Manager{}
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return &Manager{}
	}
	return &Manager{conn}
}

// Close is for the end of the process.
func (m *Manager) Close() error {
	if m.conn == nil {
		return nil
	}
	return m.conn.Close()
}

func (m *Manager) say(state string) {
	if m != nil && m.conn != nil {
		_, _ = m.conn.Write([]byte(state)) // it may be gone, and the trace goes on
	}
}

// Ready says that the trace is live.
func (m *Manager) Ready() { m.say(daemon.SdNotifyReady) }

// Reloading says that a reload began; Ready ends it.
func (m *Manager) Reloading() {
	m.say(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonic()/1000))
}

// Stopping says that the agent is about to end.
func (m *Manager) Stopping() { m.say(daemon.SdNotifyStopping) }

// watchdog says that the agent is alive, twice in each of its periods.
type watchdog struct {
	manager *Manager
	every   time.Duration
	last    time.Time
}

func newWatchdog(m *Manager) watchdog {
	period, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		period = 0
	}
	return watchdog{manager: m, every: period / 2}
}

func (w *watchdog) alive(now time.Time) {
	if w.every > 0 && now.Sub(w.last) >= w.every {
		w.last = now
		w.manager.say(daemon.SdNotifyWatchdog)
	}
}
