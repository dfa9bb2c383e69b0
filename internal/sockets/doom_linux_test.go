package sockets

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// dying is how a connection is brought to its end, in a network namespace of its own.
type dying struct {
	name    string
	sysctls string // of net.ipv4
	option  [2]int // of the socket that will end, level IPPROTO_TCP
	bring   func(t *testing.T, d *dying, drop func()) (watched netip.AddrPort)
	cause   model.Cause
	took    time.Duration // from the sources of the kernel, so that the case is what it is meant to be
	walk    bool          // holders are found in /proc
	from    int           // forecasts count when so many probes are unanswered
}

// TestDoomComesTrue: what is foretold of dying connections is what then happens. The witness
// is /proc/net/tcp, which shows a socket no more when it has ended. The first and each later
// forecast must be right within half a second and an eighth of the time that is left: that is
// how late the kernel's timers come at most (kernel/time/timer.c), the one that runs included.
func TestDoomComesTrue(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the kernel's timers")
	}
	needRoot(t)
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft")
	}
	const s = time.Second
	read, mutex := iterated(t), sync.Mutex{}
	var all sync.WaitGroup // all at once, however few processors there are: they sleep
	linear := has("tcp_syn_linear_timeouts")
	for _, d := range []dying{
		{name: "SYN, the time is over before the tries", sysctls: "tcp_syn_retries=2 tcp_syn_linear_timeouts=4", bring: connects, cause: model.CauseConnectTimeout, took: 7 * s},
		{name: "SYN, TCP_SYNCNT", sysctls: "tcp_syn_linear_timeouts=1", option: [2]int{unix.TCP_SYNCNT, 2}, bring: connects, cause: model.CauseConnectTimeout, took: either(linear, 8*s, 7*s)},
		{name: "SYN, nothing linear", sysctls: "tcp_syn_retries=1 tcp_syn_linear_timeouts=0", bring: connects, cause: model.CauseConnectTimeout, took: 3 * s},
		{name: "SYN, TCP_USER_TIMEOUT", sysctls: "tcp_syn_linear_timeouts=0", option: [2]int{unix.TCP_USER_TIMEOUT, 4500}, bring: connects, cause: model.CauseConnectTimeout, took: 4500 * time.Millisecond, walk: true},
		{name: "data", sysctls: "tcp_retries2=3", bring: sends, cause: model.CauseRetransmitTimeout},
		{name: "data, TCP_USER_TIMEOUT", option: [2]int{unix.TCP_USER_TIMEOUT, 4000}, bring: sends, cause: model.CauseUserTimeout},
		{name: "data, timers of a second at most", sysctls: "tcp_retries2=5 tcp_rto_max_ms=1000", bring: sends, cause: model.CauseRetransmitTimeout},
		{name: "keepalive", sysctls: "tcp_keepalive_time=1 tcp_keepalive_intvl=1 tcp_keepalive_probes=3", bring: keepsAlive, cause: model.CauseKeepaliveTimeout, took: 4 * s},
		{name: "keepalive, TCP_USER_TIMEOUT", sysctls: "tcp_keepalive_time=1 tcp_keepalive_intvl=1", option: [2]int{unix.TCP_USER_TIMEOUT, 2500}, bring: keepsAlive, cause: model.CauseKeepaliveTimeout, took: 3 * s, walk: true},
		{name: "closed window, no answer", sysctls: "tcp_retries2=4", bring: fills, cause: model.CauseZeroWindowTimeout},
		{name: "own firewall", sysctls: "tcp_retries2=4", bring: cannotSend, cause: model.CauseRetransmitTimeout},
		{name: "closed window, answers, TCP_USER_TIMEOUT", option: [2]int{unix.TCP_USER_TIMEOUT, 3000}, bring: fillsAndIsAnswered, cause: model.CauseUserTimeout},
		{name: "closed window, closed", sysctls: "tcp_orphan_retries=4", bring: fillsAndCloses, cause: model.CauseZeroWindowTimeout, from: 2},
		{name: "closed window, closed, answers", sysctls: "tcp_orphan_retries=3 tcp_rto_max_ms=1000", bring: fillsClosesAndIsAnswered, cause: model.CauseZeroWindowTimeout},
		{name: "FIN_WAIT1", sysctls: "tcp_orphan_retries=3", bring: closes, cause: model.CauseRetransmitTimeout},
		{name: "LAST_ACK", sysctls: "tcp_orphan_retries=3", bring: closesLast, cause: model.CauseRetransmitTimeout},
		{name: "FIN_WAIT2", sysctls: "tcp_fin_timeout=3", bring: closesFirst, cause: model.CauseFinWait2Timeout, took: 3 * s},
		{name: "FIN_WAIT2, TCP_LINGER2", option: [2]int{unix.TCP_LINGER2, 2}, bring: closesFirst, cause: model.CauseFinWait2Timeout, took: 2 * s},
		{name: "FIN_WAIT2 of more than a minute", sysctls: "tcp_fin_timeout=63", bring: closesFirst, cause: model.CauseFinWait2Timeout, took: 6 * s},
	} {
		all.Go(func() {
			t.Run(d.name, func(t *testing.T) { inNamespace(t, func() { d.play(t, read, &mutex) }) })
		})
	}
	all.Wait()
}

func has(sysctl string) bool {
	_, err := os.Stat("/proc/sys/net/ipv4/" + sysctl)
	return err == nil
}

func either(is bool, a, b time.Duration) time.Duration {
	if is {
		return a
	}
	return b
}

func (d *dying) play(t *testing.T, read func() ([]Held, error), mutex *sync.Mutex) {
	for _, sysctl := range strings.Fields(d.sysctls) {
		name, value, _ := strings.Cut(sysctl, "=")
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0o644); err != nil && has(name) {
			t.Error(err)
			return
		}
	}
	if strings.Contains(d.sysctls, "tcp_rto_max_ms") && !has("tcp_rto_max_ms") {
		t.Skip("needs tcp_rto_max_ms (6.15)")
	}
	drop := func() {
		c := exec.Command("nft", "-f", "-")
		c.Stdin = strings.NewReader("table ip t {\n chain i {\n type filter hook input priority 0;\n ip protocol tcp drop\n }\n}\n")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("nft: %v %s", err, out)
		}
	}
	began := time.Now()
	local := d.bring(t, d, drop)
	if t.Failed() {
		return
	}
	gone := vanishes(t, local)
	type forecast struct{ made, end time.Time }
	var all []forecast
	var ended time.Time
	for ended.IsZero() && time.Since(began) < 30*time.Second {
		var options Options
		if !d.walk {
			options.Held = func() ([]Held, error) { mutex.Lock(); defer mutex.Unlock(); return read() }
		}
		now := time.Now()
		list, err := List(t.Context(), options)
		if err != nil {
			t.Error(err)
			return
		}
		for _, c := range list {
			if left, known := c.Doom.Left.Get(); known && c.Network.Local.AddrPort() == local && c.Doom.Unanswered >= d.from {
				if len(all) == 0 {
					t.Log(c.Doom.At(now))
				}
				if c.Doom.Cause != d.cause {
					t.Errorf("%v, want %v: %s", c.Doom.Cause, d.cause, c.Doom.Text)
				}
				all = append(all, forecast{now, now.Add(left)})
			}
		}
		select {
		case ended = <-gone:
		case <-time.After(200 * time.Millisecond):
		}
	}
	if took := ended.Sub(began); d.took != 0 && (took-d.took).Abs() > d.took/8+500*time.Millisecond {
		t.Errorf("it took %v, want %v", took, d.took)
	}
	if len(all) == 0 {
		t.Errorf("never foretold in %v", ended.Sub(began))
	}
	var worst time.Duration
	for _, f := range all {
		off := ended.Sub(f.end)
		if off.Abs() > 500*time.Millisecond+ended.Sub(f.made)/8 {
			t.Errorf("%v before its end foretold %v wrong", ended.Sub(f.made), off)
		}
		if off.Abs() > worst.Abs() {
			worst = off
		}
	}
	t.Logf("ended after %v; %d forecasts, the worst %v off", ended.Sub(began), len(all), worst)
}

// vanishes tells when the kernel has the connection from this address no more: its line in
// /proc/net/tcp, whose second column it is. What is read is of the thread that opens it.
func vanishes(t *testing.T, local netip.AddrPort) <-chan time.Time {
	b, gone := local.Addr().As4(), make(chan time.Time, 1)
	wanted := fmt.Sprintf(": %02X%02X%02X%02X:%04X ", b[3], b[2], b[1], b[0], local.Port())
	table, err := os.Open("/proc/thread-self/net/tcp")
	if err != nil {
		t.Error(err)
		return gone
	}
	var watch sync.WaitGroup
	watch.Go(func() {
		defer table.Close()
		for t.Context().Err() == nil {
			if _, err := table.Seek(0, io.SeekStart); err != nil {
				t.Error(err)
				return
			}
			text, err := io.ReadAll(table)
			if err != nil || !bytes.Contains(text, []byte(wanted)) {
				gone <- time.Now()
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	t.Cleanup(watch.Wait)
	return gone
}
