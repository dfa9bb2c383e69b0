// Package schema holds the JSON Schema of a recording's line, for tests and
// other programs.
package schema

import _ "embed"

// JSON is the schema (2020-12) of a line of version 1. It is generated from the
// types of package model: go generate ./internal/record.
//
//go:embed closetrace-1.schema.json
var JSON []byte
