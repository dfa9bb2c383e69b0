package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/model"
)

// Set by the linker in releases: -X main.release=v1.2.3. commit and date, RFC 3339,
// are those of the commit; elsewhere the build information has them.
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

func newVersion(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				revision, when := origin()
				return json.NewEncoder(a.stdout).Encode(map[string]string{
					"version": version(), "commit": revision, "date": when, "schema": model.Schema, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
				})
			}
			_, err := io.WriteString(a.stdout, versionLine())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), part)
}
