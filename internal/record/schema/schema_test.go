package schema_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/closetrace/closetrace/internal/record/schema"
)

func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/record.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := schema.Document(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, want) {
		t.Error("docs/record.md is not what the schema says: go generate ./internal/record/schema")
	}
	documented, err := os.ReadFile("../../../docs/schema/closetrace-1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(documented, schema.JSON) {
		t.Error("docs/schema differs from the schema: go generate ./internal/record/schema")
	}
}
