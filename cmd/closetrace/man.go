package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan is used to build packages: hidden, because users type "man closetrace".
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the man pages, one for each command",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			when, err := time.Parse(time.RFC3339, date)
			if err != nil {
				when = time.Unix(0, 0).UTC() // not a release
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Section: "8", Source: "closetrace " + version(), Manual: "System Administration", Date: &when}, args[0])
		},
	}
}
