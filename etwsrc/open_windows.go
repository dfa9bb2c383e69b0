//go:build amd64 || arm64

package etwsrc

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/model"
)

// Open starts the session: when it returns, its events are collected. It needs
// an elevated process. Sessions that crashes of closetrace left behind are
// stopped.
func Open(o Options) (*Session, error) {
	s, err := open(windowsSystem{}, newOwners(), o)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // absent if not known
	v := windows.RtlGetVersion()
	s.start.Host = model.Host{Name: host}
	s.start.OS.Version = fmt.Sprintf("%d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)
	return s, nil
}
