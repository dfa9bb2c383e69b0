package conns

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

func lockThread() { runtime.LockOSThread() }

// TestAgainstSS compares every field that ss shows of 5,000 connections in all
// states, and the time that both take.
func TestAgainstSS(t *testing.T) {
	if _, err := exec.LookPath("ss"); err != nil {
		t.Skip("needs ss of iproute2")
	}
	inNamespace(t, func() {
		keep := manyConnections(t, 2750)
		defer keep()
		compareWithSS(t)
		compareTimes(t)
	})
}

// compareWithSS lists between two runs of ss: what both of these show alike did
// not change meanwhile, and must be what we show.
func compareWithSS(t *testing.T) {
	before := readSS(t)
	ours, err := List(context.Background(), Options{Scope: Everything})
	if err != nil {
		t.Error(err)
		return
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
	for state, least := range map[string]int{
		"ESTABLISHED": 2500, "FIN_WAIT1": 10, "FIN_WAIT2": 500, "CLOSE_WAIT": 500, "TIME_WAIT": 100, "LISTEN": 2,
	} {
		if states[state] < least {
			t.Errorf("%d sockets in %s compared, want %d at least", states[state], state, least)
		}
	}
	if len(before) < 5000 {
		t.Errorf("ss shows %d sockets, want 5000 at least", len(before))
	}
}

// compareTimes runs both in turn, and takes the best of each.
func compareTimes(t *testing.T) {
	best := [2]time.Duration{time.Hour, time.Hour}
	for range 10 {
		began := time.Now()
		if _, err := List(context.Background(), Options{Scope: Everything}); err != nil {
			t.Error(err)
		}
		best[0] = min(best[0], time.Since(began))
		began = time.Now()
		c := exec.Command("ss", "-tanpoie")
		out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
		}
		c.Stdout = out
		if err := c.Run(); err != nil {
			t.Error(err)
		}
		out.Close()
		best[1] = min(best[1], time.Since(began))
	}
	ratio := float64(best[0]) / float64(best[1])
	t.Logf("list %v, ss -tanpoie %v, ratio %.2f", best[0], best[1], ratio)
	if ratio > 1 && os.Getenv("CLOSETRACE_TIMING") != "" { // on a machine that does nothing else
		t.Errorf("list takes %v, ss %v: want at most as long", best[0], best[1])
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
			" mss ", zero(pairs["mss"]), " cwnd ", zero(pairs["cwnd"]), " sent ", bytes["bytes_sent"]-bytes["bytes_retrans"],
			" received ", bytes["bytes_received"], " notsent ", bytes["notsent"]),
	}
}

var ssStates = map[string]string{
	"ESTAB": "ESTABLISHED", "SYN-SENT": "SYN_SENT", "SYN-RECV": "SYN_RECV", "FIN-WAIT-1": "FIN_WAIT1",
	"FIN-WAIT-2": "FIN_WAIT2", "TIME-WAIT": "TIME_WAIT", "UNCONN": "CLOSE", "CLOSE-WAIT": "CLOSE_WAIT",
	"LAST-ACK": "LAST_ACK", "LISTEN": "LISTEN", "CLOSING": "CLOSING",
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
		" mss ", c.TCP.MSS, " cwnd ", c.TCP.Window, " sent ", sent, " received ", received, " notsent ", notsent)
}

// manyConnections opens n connections on loopback and brings them into all
// states that last. The caller closes them.
func manyConnections(t *testing.T, n int) (keep func()) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	var open []int
	keep = func() {
		for _, fd := range open {
			unix.Close(fd)
		}
	}
	listener := listen(t, unix.AF_INET6, 4096)
	open = append(open, listener)
	for i := range n {
		to := &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16(), Port: portOf(t, listener)}
		client := socketOf(t, unix.AF_INET6)
		if i%2 == 0 { // v4-mapped
			to.Addr = netip.MustParseAddr("::ffff:127.0.0.1").As16()
		}
		if err := unix.Connect(client, to); err != nil {
			t.Fatal(err)
		}
		server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, bringInto(t, i, client, server)...)
	}
	for range 3 { // connections that nobody accepts
		fd := socketOf(t, unix.AF_INET6)
		if err := unix.Connect(fd, &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16(), Port: portOf(t, listener)}); err != nil {
			t.Fatal(err)
		}
		open = append(open, fd)
	}
	open = append(open, synSent(t))
	return keep
}

// bringInto leaves one pair in a state chosen by i, and returns what stays open.
func bringInto(t *testing.T, i, client, server int) []int {
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(fd, n int) {
		_, err := unix.Write(fd, make([]byte, n))
		check(err)
	}
	switch i % 10 {
	case 1: // unread
		write(client, 512)
	case 2: // half-closed: FIN_WAIT2 and CLOSE_WAIT, held
		check(unix.Shutdown(client, unix.SHUT_WR))
	case 3: // the same with data before the FIN
		write(client, 100)
		check(unix.Shutdown(client, unix.SHUT_WR))
	case 4: // an orphan's minisock in FIN_WAIT2, and CLOSE_WAIT
		check(unix.Close(client))
		return []int{server}
	case 5: // TIME_WAIT
		check(unix.Close(client))
		check(unix.Close(server))
		return nil
	case 6: // unsent data that the window holds back
		if i < 300 {
			check(unix.SetsockoptInt(server, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096))
			check(unix.SetNonblock(client, true))
			for {
				if _, err := unix.Write(client, make([]byte, 65536)); err != nil {
					break
				}
			}
		}
	case 7: // FIN_WAIT1: the FIN waits behind such data
		if i < 300 {
			check(unix.SetNonblock(client, true))
			for {
				if _, err := unix.Write(client, make([]byte, 65536)); err != nil {
					break
				}
			}
			check(unix.Shutdown(client, unix.SHUT_WR))
		}
	case 8:
		check(unix.SetsockoptInt(client, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1))
	}
	return []int{client, server}
}

func socketOf(t *testing.T, family int) int {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func listen(t *testing.T, family, backlog int) int {
	t.Helper()
	fd := socketOf(t, family)
	var at unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if family == unix.AF_INET6 {
		at = &unix.SockaddrInet6{}
	}
	if err := unix.Bind(fd, at); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		t.Fatal(err)
	}
	return fd
}

func portOf(t *testing.T, fd int) int {
	t.Helper()
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return a.Port
	case *unix.SockaddrInet6:
		return a.Port
	default:
		t.Fatalf("name is %T", name)
		return 0
	}
}

// synSent returns a socket whose SYN nobody answers: the listener's queue is
// full.
func synSent(t *testing.T) int {
	t.Helper()
	full := listen(t, unix.AF_INET, 0)
	t.Cleanup(func() { unix.Close(full) })
	last := -1
	for range 4 {
		last = socketOf(t, unix.AF_INET)
		fd := last
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.SetNonblock(last, true); err != nil {
			t.Fatal(err)
		}
		_ = unix.Connect(last, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: portOf(t, full)})
	}
	return socketOf(t, unix.AF_INET)
}
