package agent

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready tells systemd that the trace is live. Without systemd it does nothing.
func Ready() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }

// Reloading tells systemd that a reload began; [Ready] ends it.
func Reloading() {
	_, _ = daemon.SdNotify(false, fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonic()/1000))
}

// Stopping tells systemd that the agent is about to end.
func Stopping() { _, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) }

// watchdog tells systemd that the agent is alive, twice in each of its periods.
type watchdog struct {
	every time.Duration
	last  time.Time
}

func newWatchdog() watchdog {
	period, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		period = 0
	}
	return watchdog{every: period / 2}
}

func (w *watchdog) alive(now time.Time) {
	if w.every > 0 && now.Sub(w.last) >= w.every {
		w.last = now
		_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
	}
}
