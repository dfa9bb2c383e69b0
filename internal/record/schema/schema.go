// Package schema holds the JSON Schema of a recording's line.
package schema

import _ "embed"

// JSON is the schema (2020-12) of a line of version 1: the file
// docs/schema/closetrace-1.schema.json.
//
//go:embed closetrace-1.schema.json
var JSON []byte
