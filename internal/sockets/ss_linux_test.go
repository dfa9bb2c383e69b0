package sockets

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

func lockThread() { runtime.LockOSThread() }

// TestAgainstSS compares every field that ss shows of 5,000 connections in all
// states. How long both take: docs/benchmarks.md.
func TestAgainstSS(t *testing.T) {
	if _, err := exec.LookPath("ss"); err != nil {
		t.Skip("needs ss of iproute2")
	}
	inNamespace(t, func() {
		keep := manyConnections(t, 2750)
		defer keep()
		t.Log("processes by /proc")
		compareAllWithSS(t, nil)
		if held := iterated(t); held != nil {
			t.Log("processes by the iterator over descriptors")
			compareAllWithSS(t, held)
		}
	})
}

// compareAllWithSS compares until enough connections of each state stood still:
// those in SYN_SENT send again after 1, 2, 4 ... seconds, all at once.
func compareAllWithSS(t *testing.T, held func() ([]Held, error)) {
	least := map[string]int{
		"ESTABLISHED": 2500, "FIN_WAIT1": 10, "FIN_WAIT2": 500, "CLOSE_WAIT": 500, "TIME_WAIT": 100, "LISTEN": 3,
		"SYN_SENT": 2, "SYN_RECV": 5, "LAST_ACK": 5, "CLOSING": 5,
	}
	for range 5 {
		compared := compareWithSS(t, held)
		maps.DeleteFunc(least, func(state string, n int) bool { return compared[state] >= n })
		if len(least) == 0 {
			return
		}
	}
	t.Errorf("of these states not as many sockets were compared: %v", least)
}

// compareWithSS lists between two runs of ss: what both of these show alike did
// not change meanwhile, and must be what we show. It returns how many of each
// state did not change.
func compareWithSS(t *testing.T, held func() ([]Held, error)) map[string]int {
	before := readSS(t)
	ours, err := List(context.Background(), Options{Scope: Everything, Held: held})
	if err != nil {
		t.Fatal(err)
	}
	after := readSS(t)
	got, states := map[string]string{}, map[string]int{}
	for i := range ours {
		got[ours[i].Network.Local.AddrPort().String()+" "+ours[i].Network.Peer.AddrPort().String()] = asSS(&ours[i])
	}
	wrong := 0
	for k, want := range before {
		if after[k] != want {
			continue
		}
		states[want.state]++
		if got[k] != want.text && wrong < 10 {
			wrong++
			t.Errorf("%s\n got %s\nwant %s", k, got[k], want.text)
		}
	}
	for k, v := range got {
		if before[k] == (ssRow{}) {
			t.Errorf("ss does not show %s %s", k, v)
		}
	}
	t.Logf("%d sockets compared: %v", len(before), states)
	if len(before) < 5000 {
		t.Errorf("ss shows %d sockets, want 5000 at least", len(before))
	}
	return states
}

// iterated returns what reads the BPF iterator as the program does, or nil
// where BPF is not allowed.
func iterated(t *testing.T) func() ([]Held, error) {
	holders, err := tracer.OpenHolders()
	if err != nil {
		if required() {
			t.Error(err)
		}
		t.Log(err)
		return nil
	}
	t.Cleanup(func() { holders.Close() })
	return readerOf(holders)
}

func readerOf(holders *tracer.Holders) func() ([]Held, error) {
	return func() ([]Held, error) {
		all, err := holders.Read()
		held := make([]Held, len(all))
		for i := range all {
			h := &all[i]
			held[i] = Held{
				Inode: uint32(h.Inode), PID: h.PID, Descriptor: h.Descriptor, Name: h.Name, UID: h.UID,
				Connection: connectionOf(h.Connection), Limits: limitsOf(h.Connection), Started: h.Started, Linger: h.Linger, Linger2: h.Linger2, Repair: h.Repair, MPTCP: h.MPTCP, Source: model.OwnerIterator,
			}
		}
		return held, err
	}
}

func connectionOf(c *tracer.HeldConnection) *HeldConnection {
	if c == nil {
		return nil
	}
	return &HeldConnection{c.Network, c.State, c.Cookie, Queue{c.Receive, c.Send}, c.Unsent, c.Retransmits, c.Silent, c.Probing}
}

func limitsOf(c *tracer.HeldConnection) Limits {
	if c == nil {
		return Limits{}
	}
	return Limits{
		Retries2: c.Retries2, KeepaliveProbes: c.KeepaliveProbes, KeepaliveInterval: c.KeepaliveInterval, UserTimeout: c.UserTimeout,
		SYNRetries: c.SYNRetries, SYNLinear: c.SYNLinear, RTOMax: c.RTOMax,
	}
}

// ssRow is a line of ss: what is compared, in words that both can give.
type ssRow struct{ state, text string }

var (
	ssUsers = regexp.MustCompile(`\("([^"]*)",pid=(\d+),fd=(\d+)\)`)
	ssPair  = regexp.MustCompile(`([a-z_]+):([^ ]+)`)
)

// readSS returns the lines of ss by local and peer address.
func readSS(t *testing.T) map[string]ssRow {
	t.Helper()
	out, err := exec.Command("ss", "-tanpoieHO").Output()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]ssRow{}
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		key, row := parseSS(t, lines.Text())
		rows[key] = row
	}
	return rows
}

func parseSS(t *testing.T, line string) (key string, row ssRow) {
	f := strings.Fields(line)
	var users []string
	for _, m := range ssUsers.FindAllStringSubmatch(line, -1) {
		users = append(users, m[1]+"/"+m[2]+"/"+m[3])
	}
	slices.Sort(users)
	pairs := map[string]string{}
	for _, m := range ssPair.FindAllStringSubmatch(line, -1) {
		pairs[m[1]] = m[2]
	}
	cookie, _ := strconv.ParseUint(pairs["sk"], 16, 64)
	kind, _, _ := strings.Cut(strings.Trim(pairs["timer"], "()"), ",")
	bytes := map[string]uint64{}
	for _, name := range []string{"bytes_sent", "bytes_retrans", "bytes_received", "notsent"} {
		bytes[name], _ = strconv.ParseUint(pairs[name], 10, 64)
	}
	rtt, rttvar, _ := strings.Cut(pairs["rtt"], "/")
	state := ssStates[f[0]]
	timeWait := kind == "timewait"
	if state == "LISTEN" {
		pairs["cwnd"] = "0" // means nothing
	}
	return ssAddress(t, f[3]) + " " + ssAddress(t, f[4]), ssRow{
		state: state,
		text: fmt.Sprint(state, " q ", f[1], " ", f[2], " users ", users, " ino ", zero(pairs["ino"]), " uid ", zero(pairs["uid"]),
			" cookie ", cookie, " timer ", kind, " tw ", timeWait, " rtt ", milliseconds(rtt), " ", milliseconds(rttvar),
			" rto ", milliseconds(pairs["rto"]), " retrans ", retransmits(pairs["retrans"]), " mss ", zero(pairs["mss"]), " cwnd ", zero(pairs["cwnd"]), " sent ", bytes["bytes_sent"]-bytes["bytes_retrans"],
			" received ", bytes["bytes_received"], " notsent ", bytes["notsent"]),
	}
}

var ssStates = map[string]string{
	"ESTAB": "ESTABLISHED", "SYN-SENT": "SYN_SENT", "SYN-RECV": "SYN_RECV", "FIN-WAIT-1": "FIN_WAIT1",
	"FIN-WAIT-2": "FIN_WAIT2", "TIME-WAIT": "TIME_WAIT", "UNCONN": "CLOSE", "CLOSE-WAIT": "CLOSE_WAIT",
	"LAST-ACK": "LAST_ACK", "LISTEN": "LISTEN", "CLOSING": "CLOSING",
}

// retransmits takes the total of "unanswered/total".
func retransmits(s string) string {
	_, total, _ := strings.Cut(s, "/")
	return zero(total)
}

func zero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

func milliseconds(s string) time.Duration {
	v, _ := strconv.ParseFloat(zero(s), 64)
	return time.Duration(v*1000+0.5) * time.Microsecond
}

func ssAddress(t *testing.T, s string) string {
	s = strings.Replace(s, ":*", ":0", 1)
	s = strings.Replace(s, "*:", "[::]:", 1)
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		t.Errorf("address %q of ss: %v", s, err)
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}

// asSS writes c in the words of ssRow. Bytes are put back as the kernel counts
// them: with the FIN that was received, and with what is not acknowledged.
func asSS(c *Conn) string {
	users := []string{}
	for _, h := range c.Holders {
		users = append(users, fmt.Sprintf("%s/%d/%d", h.Name, h.PID, h.Descriptor))
	}
	slices.Sort(users)
	ownFIN := c.State == model.FinWait1 || c.State == model.LastAck || c.State == model.Closing
	peerFIN := c.State == model.CloseWait || c.State == model.LastAck || c.State == model.Closing
	b := &c.TCP.Bytes
	sent, received, notsent := b.Sent.Or(0)+b.Unacked.Or(0)-b.Unsent.Or(0), b.Received.Or(0), b.Unsent.Or(0)
	if peerFIN {
		received++
	}
	if ownFIN && notsent > 0 {
		notsent++
	}
	if c.State == model.SynSent {
		sent = 0
	}
	return fmt.Sprint(c.State, " q ", c.Queue.Receive, " ", c.Queue.Send, " users ", users, " ino ", c.Socket.Inode, " uid ", c.Socket.UID.Or(0),
		" cookie ", c.Socket.Cookie, " timer ", c.TCP.Timer.Name, " tw ", c.TCP.TimeWait, " rtt ", c.TCP.SRTT.Or(0), " ", c.TCP.RTTVar.Or(0),
		" rto ", c.TCP.RTO.Or(0), " retrans ", c.TCP.Retransmits.Or(0), " mss ", c.TCP.MSS, " cwnd ", c.TCP.Window, " sent ", sent, " received ", received, " notsent ", notsent)
}
