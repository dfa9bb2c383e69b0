package main

import (
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

func newVersion(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				revision, when := origin()
				return safetext.WriteJSON(a.stdout, map[string]string{
					"version": version(), "commit": revision, "date": when, "schema": model.Schema, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
				}, "")
			}
			_, err := io.WriteString(a.stdout, versionLine())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}
