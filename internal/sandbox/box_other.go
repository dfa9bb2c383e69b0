//go:build !linux

package sandbox

import "github.com/closetrace/closetrace/internal/safefile"

type helper struct{}

func (*helper) close() error { return nil }

func (*helper) pid() int { return 0 }

// Reader is for Linux.
type Reader struct{}

// Folder opens a folder for output files.
func (b *Box) Folder(path string) (safefile.Folder, error) { return safefile.Open(path) }

func mayBecome() bool { return true }

func ownIdentity() (Identity, bool) { return Identity{}, false }
