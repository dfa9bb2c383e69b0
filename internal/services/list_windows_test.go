package services

import (
	"testing"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

// What is told of each service is what the service manager says when it is
// asked for that service alone.
func TestByProcessIsWhatEachServiceSays(t *testing.T) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_ENUMERATE_SERVICE|windows.SC_MANAGER_CONNECT)
	if err != nil {
		t.Skipf("no service manager here: %v", err)
	}
	m := &mgr.Mgr{Handle: manager}
	defer m.Disconnect()
	all := ByProcess()
	t.Logf("services by process: %v", all)
	list, err := m.ListServices()
	if err != nil {
		t.Fatal(err)
	}
	running := names{}
	for _, name := range list {
		wide, err := windows.UTF16PtrFromString(name)
		if err != nil {
			t.Fatal(err)
		}
		handle, err := windows.OpenService(manager, wide, windows.SERVICE_QUERY_STATUS)
		if err != nil {
			continue
		}
		s := &mgr.Service{Name: name, Handle: handle}
		if status, err := s.Query(); err == nil && status.ProcessId != 0 {
			running[int(status.ProcessId)] = append(running[int(status.ProcessId)], name)
		}
		s.Close()
	}
	if len(running) == 0 {
		t.Skip("no service runs here")
	}
	for pid, want := range running.joined() {
		if all[pid] != want {
			t.Errorf("process %d runs %q, want %q", pid, all[pid], want)
		}
	}
}
