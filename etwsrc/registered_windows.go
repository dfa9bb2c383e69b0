package etwsrc

import (
	"golang.org/x/sys/windows/registry"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// HasSocketCalls reports whether this Windows has
// Microsoft-Windows-Winsock-Sockets (Windows 11 and later): providers are
// registered under the key of event publishers.
func HasSocketCalls() bool {
	const publishers = `SOFTWARE\Microsoft\Windows\CurrentVersion\WINEVT\Publishers\`
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, publishers+"{"+raw.Sockets.GUID().String()+"}", registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	key.Close()
	return true
}
