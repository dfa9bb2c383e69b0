// Command generate writes everything that follows from the tagged types of
// package model, which are the specification of a record: the encoder, the
// decoder, the CSV columns, the attributes of OpenTelemetry, the view of filters,
// the JSON Schema and the tables of members in docs/record.md; and the view that filters of open
// connections have. A description is the first paragraph of the
// doc comment of a struct field; what developers must know beyond it is a
// second paragraph. The only argument is the root of the module.
//
// It reads the source of package model and does not import it, so that it can
// be built while what it wrote last does not fit the types any more.
package main

import (
	"fmt"
	"go/format"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := files(root)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o644); err != nil { // #nosec G306 G703 -- a generator writes the source that it is for
			return err
		}
	}
	return nil
}

// files returns what the types say, by the path below root.
func files(root string) (map[string][]byte, error) {
	s, err := parse(filepath.Join(root, "model"))
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{"docs/schema/closetrace-1.schema.json": schemaJSON(s)}
	for name, write := range map[string]func(*spec) string{
		"internal/record/zz_encode.go":    encoder,
		"internal/record/zz_decode.go":    decoder,
		"internal/record/zz_csv.go":       csvColumns,
		"internal/agent/zz_attributes.go": attributeList,
		"model/zz_view.go":                filterView,
	} {
		if all[name], err = format.Source([]byte(write(s))); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if all["internal/sockets/zz_view.go"], err = connView(root); err != nil {
		return nil, err
	}
	const page = "docs/record.md"
	text, err := os.ReadFile(filepath.Join(root, page)) // #nosec G703 -- a generator writes the source that it is for
	if err != nil {
		return nil, err
	}
	if all[page], err = document(text, s); err != nil {
		return nil, fmt.Errorf("%s: %w", page, err)
	}
	return all, nil
}
