// Command generate writes what is documented of the schema: its copy in
// docs/schema and the table of members in docs/record.md. Its argument is the
// folder docs.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/closetrace/closetrace/internal/record/schema"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(docs string) error {
	if err := os.WriteFile(filepath.Join(docs, "schema", "closetrace-1.schema.json"), schema.JSON, 0o644); err != nil {
		return err
	}
	page := filepath.Join(docs, "record.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	updated, err := schema.Document(text)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, updated, 0o644)
}
