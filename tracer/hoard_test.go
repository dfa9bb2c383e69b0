//go:build linux

package tracer_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

const hoarder = 12345 // a user ID without privileges

// hoardIn starts a process in each of some network namespaces of its own, as every
// user may, which opens connections and keeps them. Its arguments are how many, how many
// connections each, and the user as its namespace knows him.
func hoardIn() error {
	spaces, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	user, err := strconv.Atoi(os.Args[3])
	if err != nil {
		return err
	}
	in := make([]*exec.Cmd, spaces)
	for i := range in {
		in[i] = command("hoard", os.Args[2])
		in[i].SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET
		in[i].SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: user, Size: 1}}
		out, err := in[i].StdoutPipe()
		if err != nil {
			return err
		}
		if _, err := in[i].StdinPipe(); err != nil {
			return err
		}
		if err := in[i].Start(); err != nil {
			return fmt.Errorf("make a namespace as a user: %w", err)
		}
		if !bufio.NewScanner(out).Scan() {
			return errors.New("no connections were opened")
		}
	}
	fmt.Println("all are open")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the test has seen enough
	return nil
}

// hoard opens as many connections as its argument says; with a second one as so many
// users in turn, which only root can.
func hoard() error {
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	if err := sourcetest.LoopbackUp(); err != nil {
		return err
	}
	listener, port, err := listenTCP()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // setfsuid(2) is of a thread
	for i := range count {
		if len(os.Args) > 2 {
			users, err := strconv.Atoi(os.Args[2])
			if err != nil {
				return err
			}
			if err := unix.Setfsuid(1000 + i%users); err != nil {
				return err
			}
		}
		if _, err := dialTCP([4]byte{127, 1, byte(i >> 8), byte(i)}, port); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		if _, _, err := unix.Accept(listener); err != nil {
			return fmt.Errorf("accept: %w", err)
		}
	}
	fmt.Println("open")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

// hoarding lets an unprivileged user fill the table, from several namespaces.
func hoarding(t *testing.T, spaces, each int) {
	t.Helper()
	cmd := command("hoard-in", strconv.Itoa(spaces), strconv.Itoa(each), strconv.Itoa(hoarder))
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: hoarder, Gid: hoarder}
	keep(t, cmd)
}

// keep starts a process that opens connections, and returns when all are open.
func keep(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr.Pdeathsig = 0 // of the thread that starts it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	if !bufio.NewScanner(out).Scan() {
		t.Skip("users of this host can't make namespaces")
	}
}

// TestHoarderHarmsNobodyElse: a user opens ten times as many connections as the table has
// entries, from eight namespaces of his own. Others' connections keep their process and
// their certainty, and the user with too many is named.
func TestHoarderHarmsNobodyElse(t *testing.T) {
	requireRoot(t)
	const entries, spaces, each, victims = 1200, 8, 750, 60
	tr := open(t, tracer.Options{MaxConnections: entries})
	listener, port, err := listenTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(listener)
	var held, taken uint64
	var told model.Loss
	certain, ends := 0, 0
	warned := model.Table{}
	records := collect(t, tr, func() {
		hoarding(t, spaces, each)
		held, taken = tr.Entries(hoarder)
		for range victims {
			client, err := dialTCP([4]byte{}, port)
			if err != nil {
				t.Error(err)
				return
			}
			server, _, err := unix.Accept(listener)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() {
				_ = unix.Shutdown(client, unix.SHUT_WR) // an orphan in FIN_WAIT2 would be inferred
				_, _ = unix.Read(server, make([]byte, 1))
				unix.Close(server)
				_, _ = unix.Read(client, make([]byte, 1))
				unix.Close(client)
			}()
		}
		time.Sleep(1200 * time.Millisecond) // the tenants with too many are named once a second
	})
	if t.Skipped() { // by what ran beside it
		return
	}
	for i := range records {
		r := &records[i]
		n := &r.Teardown.Network
		switch {
		case r.Kind == model.KindTable && warned.Max == 0:
			warned = r.Table
			if told.Count > 0 {
				t.Error("it was told that the table fills after somebody was refused")
			}
		case r.Kind == model.KindLoss && r.Loss.UID.Is(hoarder):
			told.Count += r.Loss.Count
			told.Held, told.Max, told.NetNS, told.Where = r.Loss.Held, r.Loss.Max, r.Loss.NetNS, r.Loss.Where
		case r.Kind == model.KindLoss:
			t.Logf("beside it: %+v", r.Loss)
		case r.Kind == model.KindTeardown && (int(n.Local.Port) == port || int(n.Peer.Port) == port):
			ends++
			if r.Teardown.Confidence == model.Certain && r.Teardown.Process.PID == os.Getpid() {
				certain++
			} else {
				t.Logf("%v %v %v (%s) of %+v", r.Teardown.Verdict, r.Teardown.Cause, r.Teardown.Confidence, r.Teardown.ConfidenceReason, r.Teardown.Process)
			}
		}
	}
	if ends != 2*victims || certain != ends {
		t.Errorf("%d ends of others, %d of them certain and with their process, want %d", ends, certain, 2*victims)
	}
	if !warned.UID.Is(hoarder) || warned.Held < entries/2 || warned.Most < entries/3 {
		t.Errorf("told of the table as %+v, want that the user fills it", warned)
	}
	t.Logf("the user holds %d of %d entries: %+v", held, taken, told)
	// Each processor tells of its entries in batches.
	if share, untold := uint64(entries*2/3), uint64(entries/16); held > share+untold || held < share*9/10-untold {
		t.Errorf("one user holds %d entries, want about %d", held, share)
	}
	// A connection that was refused while it was new may find a place later on.
	if want := uint64(2*spaces*each) - held; told.Count < want || told.Count > want+want/50 || told.Max != entries ||
		told.NetNS != 0 || told.Where != "connection-table" {
		t.Errorf("told as %+v, want %d in no one namespace", told, want)
	}
}

// TestUnwantedHaveNoEntry: connections that any term of the filter excludes take no
// entry, the others do.
func TestUnwantedHaveNoEntry(t *testing.T) {
	requireRoot(t)
	for name, options := range map[string]func(port int) tracer.Options{
		"port":      func(port int) tracer.Options { return tracer.Options{Port: uint16(port) ^ 1} },
		"peer":      func(int) tracer.Options { return tracer.Options{Peer: netip.MustParsePrefix("127.200.0.0/16")} },
		"namespace": func(int) tracer.Options { return tracer.Options{NetNS: 1} },
		"wanted":    func(port int) tracer.Options { return tracer.Options{Port: uint16(port)} },
	} {
		t.Run(name, func(t *testing.T) {
			listener, port, err := listenTCP()
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(listener)
			const before, after = 20, 30
			tuples(t, listener, port, before)
			o := options(port)
			tr := open(t, o)
			tuples(t, listener, port, after)
			want := uint64(0)
			if name == "wanted" {
				want = 2 * (before + after)
			}
			if _, taken := tr.Entries(0); taken != want || uint64(tr.InTable()) != want {
				t.Errorf("%d entries are counted and %d are there, want %d", taken, tr.InTable(), want)
			}
		})
	}
}

// tuples opens connections for as long as the test runs.
func tuples(t *testing.T, listener, port, count int) {
	t.Helper()
	for range count {
		client, err := dialTCP([4]byte{}, port)
		if err != nil {
			t.Fatal(err)
		}
		server, _, err := unix.Accept(listener)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			unix.Close(client)
			unix.Close(server)
		})
	}
}

// TestEntriesAreCounted: however and whenever connections end, the counts are those of
// the table.
func TestEntriesAreCounted(t *testing.T) {
	requireRoot(t)
	listener, port, err := listenTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(listener)
	tuples(t, listener, port, 5)
	tr := open(t, tracer.Options{Port: uint16(port)})
	collect(t, tr, func() {
		for i := range 300 {
			client, err := dialTCP([4]byte{}, port)
			if err != nil {
				t.Error(err)
				return
			}
			server, _, _ := unix.Accept(listener)
			if i%3 == 0 {
				_ = unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			}
			if i%3 == 1 {
				_, _ = unix.Write(server, []byte("never read"))
			}
			unix.Close(client)
			unix.Close(server)
		}
		if _, taken := tr.Entries(0); taken != 10 || tr.InTable() != 10 {
			t.Errorf("%d entries are counted and %d are there, want those of the 5 that are open", taken, tr.InTable())
		}
	})
}
