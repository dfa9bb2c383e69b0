package sockets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/internal/services"
	"github.com/closetrace/closetrace/model"
)

var (
	iphlpapi            = windows.NewLazySystemDLL("iphlpapi.dll")
	getExtendedTCPTable = iphlpapi.NewProc("GetExtendedTcpTable")
	getExtendedUDPTable = iphlpapi.NewProc("GetExtendedUdpTable")
	setTCPEntry         = iphlpapi.NewProc("SetTcpEntry")
)

const (
	tcpTableOwnerModuleAll = 8 // TCP_TABLE_OWNER_MODULE_ALL
	udpTableOwnerModule    = 2 // UDP_TABLE_OWNER_MODULE
)

// List returns what is open now, in no order. Windows shows neither queues nor
// SO_LINGER of other processes' sockets, so that nothing is predicted.
func List(ctx context.Context, opts Options) ([]Conn, error) {
	var all []Conn
	for _, transport := range opts.transports() {
		kinds := map[tableKind]uintptr{tcpTable4: windows.AF_INET, tcpTable6: windows.AF_INET6}
		if transport == "udp" {
			kinds = map[tableKind]uintptr{udpTable4: windows.AF_INET, udpTable6: windows.AF_INET6}
		}
		for kind, family := range kinds {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			table, err := readTable(kind, family)
			if err != nil {
				return nil, err
			}
			rows, err := decodeTable(table, kind)
			if err != nil {
				return nil, err
			}
			all = append(all, rows...)
		}
	}
	all = opts.inScope(all)
	describeAll(all)
	return all, nil
}

// readTable asks until the buffer is large enough: the table grows meanwhile.
func readTable(kind tableKind, family uintptr) ([]byte, error) {
	call, class := getExtendedTCPTable, uintptr(tcpTableOwnerModuleAll)
	if kind.transport == "udp" {
		call, class = getExtendedUDPTable, udpTableOwnerModule
	}
	size := uint32(64 << 10)
	for range 10 {
		b := make([]byte, size)
		code, _, _ := call.Call(uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0, family, class, 0)
		switch windows.Errno(code) {
		case 0:
			return b, nil
		case windows.ERROR_INSUFFICIENT_BUFFER:
			size += size / 4
		default:
			return nil, fmt.Errorf("read table of %s connections: %w", kind.transport, windows.Errno(code))
		}
	}
	return nil, fmt.Errorf("read table of %s connections: %w", kind.transport, windows.ERROR_INSUFFICIENT_BUFFER)
}

func (o *Options) inScope(all []Conn) []Conn {
	var chosen []Conn
	for _, c := range all {
		listens := c.State == model.Listen || c.Transport == "udp"
		passing := c.State == model.TimeWait || c.State == model.SynRecv || c.State == model.Closed
		switch o.Scope {
		case Connections:
			if listens || passing {
				continue
			}
		case Listeners:
			if !listens {
				continue
			}
		case Everything:
		}
		chosen = append(chosen, c)
	}
	return chosen
}

// describeAll names the processes, each once.
func describeAll(all []Conn) {
	known := map[int]model.Process{}
	var names map[int]string
	running := services.ByProcess()
	now := time.Now()
	for i := range all {
		c := &all[i]
		if c.StartTime != 0 {
			c.Duration = model.Some(now.Sub(c.StartTime.Go()))
		}
		pid := c.Process.PID
		if pid == 0 { // the system's, or TIME_WAIT
			continue
		}
		p, ok := known[pid]
		if !ok {
			p = processOf(pid)
			if p.Name == "" { // of a process that may not be asked
				if names == nil {
					names = snapshot()
				}
				p.Name = names[pid]
			}
			p.Service = running[pid]
			known[pid] = p
		}
		c.Process = p
	}
}

// snapshot returns the names of all processes, also of those of other users and
// of protected ones: the list of processes (Toolhelp) needs no rights.
func snapshot() map[int]string {
	names := map[int]string{}
	handle, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return names
	}
	defer windows.CloseHandle(handle)
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(handle, &entry); err == nil; err = windows.Process32Next(handle, &entry) {
		names[int(entry.ProcessID)] = windows.UTF16ToString(entry.ExeFile[:])
	}
	return names
}

func processOf(pid int) model.Process {
	p := model.Process{PID: pid, Source: model.OwnerUse}
	handle, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return p
	}
	defer windows.CloseHandle(handle)
	var path [windows.MAX_LONG_PATH]uint16
	size := uint32(len(path))
	if windows.QueryFullProcessImageName(handle, 0, &path[0], &size) == nil {
		p.Executable.Path = windows.UTF16ToString(path[:size])
		p.Name = filepath.Base(p.Executable.Path)
	}
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(handle, &created, &exited, &kernel, &user) == nil {
		p.StartTime = model.Time(created.Nanoseconds())
	}
	return p
}

// Killer ends connections (SetTcpEntry): only IPv4, and only elevated. The
// zero value works.
type Killer struct{}

// Open does nothing: Windows has no network namespaces of this kind.
func (*Killer) Open(uint32) error { return nil }

// Close does nothing.
func (*Killer) Close() error { return nil }

// Kill ends c. Windows has no cookie: the creation time of the connection with
// these addresses is compared just before. The error is a *[KillError].
func (k *Killer) Kill(c *Conn) (Done, error) {
	row, ok := deleteRow(c.Network)
	if !ok || c.Transport != "tcp" {
		return DoneUnknown, &KillError{c, fmt.Errorf("only TCP over IPv4 can be ended on Windows; --terminate ends the process that holds it: %w", errors.ErrUnsupported)}
	}
	there, err := isThere(c)
	if err == nil && !there {
		err = ErrGone
	}
	if err != nil {
		return DoneUnknown, &KillError{c, err}
	}
	code, _, _ := setTCPEntry.Call(uintptr(unsafe.Pointer(&row[0])))
	switch errno := windows.Errno(code); errno {
	case 0:
	case windows.ERROR_ACCESS_DENIED, 317: // 317: what it returns without elevation
		return DoneUnknown, &KillError{c, fmt.Errorf("needs an elevated prompt (Run as administrator): %w", fs.ErrPermission)}
	default:
		return DoneUnknown, &KillError{c, errno}
	}
	there, err = isThere(c)
	switch {
	case err != nil:
		return DoneUnknown, &KillError{c, err}
	case there: // as under Wine
		return DoneNothing, nil
	default:
		return DoneEnded, nil
	}
}

// isThere looks for the very connection in the table.
func isThere(c *Conn) (bool, error) {
	table, err := readTable(tcpTable4, windows.AF_INET)
	if err != nil {
		return false, err
	}
	rows, err := decodeTable(table, tcpTable4)
	if err != nil {
		return false, err
	}
	for i := range rows {
		if rows[i].ID == c.ID && rows[i].Network == c.Network {
			return rows[i].State != model.Closed, nil
		}
	}
	return false, nil
}

// Why explains DoneNothing.
func (d Done) Why(*Conn) error {
	if d != DoneNothing {
		return nil
	}
	return errStillThere
}

var errStillThere = errors.New("SetTcpEntry succeeded, and the connection is still there")
