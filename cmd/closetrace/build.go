package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/closetrace/closetrace/model"
)

// Set by the linker in releases: -X main.release=v1.2.3. commit and date, RFC 3339, are
// those of the commit; otherwise the build information has them.
var release, commit, date string

// version returns the release, or the commit the program was built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

// origin returns the commit the program was built from and its date, as far as known.
func origin() (string, string) {
	revision, when := commit, date
	if info, ok := debug.ReadBuildInfo(); ok && revision == "" {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.time":
				when = s.Value
			}
		}
	}
	return revision, when
}

func versionLine() string {
	return fmt.Sprintf("closetrace %s (%s, %s/%s, %s)\n", version(), model.Schema, runtime.GOOS, runtime.GOARCH, runtime.Version())
}
