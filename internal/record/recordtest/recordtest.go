// Package recordtest checks lines of recordings in tests, of this module's
// programs and packages, against the JSON Schema.
package recordtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/closetrace/closetrace/docs/schema"
)

const id = "urn:closetrace:record:1"

// CheckLine returns an error if line is not one that this version may write:
// the schema must hold, and describe every member.
func CheckLine(line []byte) error {
	s, err := strict()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return fmt.Errorf("%w in %.200s", err, line)
	}
	if err := s.Validate(value); err != nil {
		return fmt.Errorf("%w\nin %s", err, line)
	}
	return nil
}

// Check checks every line of a plain recording and returns their number.
func Check(r io.Reader) (lines int, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		lines++
		if err := CheckLine(in.Bytes()); err != nil {
			return lines, fmt.Errorf("line %d: %w", lines, err)
		}
	}
	return lines, in.Err()
}

// Schema compiles the schema as it is published, which allows members that it does not
// describe.
func Schema() (*jsonschema.Schema, error) {
	var tree map[string]any
	if err := json.Unmarshal(schema.JSON, &tree); err != nil {
		return nil, err
	}
	return compile(tree)
}

var strict = sync.OnceValues(func() (*jsonschema.Schema, error) {
	var tree map[string]any
	if err := json.Unmarshal(schema.JSON, &tree); err != nil {
		return nil, err
	}
	tree["unevaluatedProperties"] = false
	Walk(tree, func(node map[string]any) {
		if node["type"] == "object" && node["properties"] != nil && node["$defs"] == nil {
			node["additionalProperties"] = false
		}
	})
	return compile(tree)
})

func compile(tree map[string]any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	if err := c.AddResource(id, tree); err != nil {
		return nil, err
	}
	return c.Compile(id)
}

// Walk visits every object in a tree of JSON values.
func Walk(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, child := range v {
			Walk(child, visit)
		}
	case []any:
		for _, child := range v {
			Walk(child, visit)
		}
	}
}
