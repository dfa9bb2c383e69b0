package services

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	bufferSize = 256 << 10 // the most that EnumServicesStatusEx takes
	maxRounds  = 64
)

// ByProcess returns the names of the services that run, by process. Who may not
// ask gets none: a process that is missing may run some.
func ByProcess() map[int]string {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_ENUMERATE_SERVICE)
	if err != nil {
		return nil
	}
	defer windows.CloseServiceHandle(manager)
	found := names{}
	buffer := make([]byte, bufferSize)
	var needed, count, resume uint32
	for range maxRounds {
		err = windows.EnumServicesStatusEx(manager, windows.SC_ENUM_PROCESS_INFO, windows.SERVICE_WIN32, windows.SERVICE_ACTIVE,
			&buffer[0], bufferSize, &needed, &count, &resume, nil)
		if err != nil && !errors.Is(err, windows.ERROR_MORE_DATA) {
			return nil // a part could name one of two services of a process
		}
		found.add(buffer, uint64(uintptr(unsafe.Pointer(&buffer[0]))), count)
		if err == nil {
			return found.joined()
		}
	}
	return nil
}
