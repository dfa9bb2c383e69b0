//go:build !linux

package privilege

// Borrowed reports whether the privileges of this process came from its file.
// Only Linux has such files.
func Borrowed() bool { return false }
