package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

//go:generate go run ./generate ../../../docs

// The generated part of docs/record.md is between these lines.
const (
	begin = "<!-- members: generated from the schema by go generate -->\n"
	end   = "<!-- end of members -->"
)

// Document returns the page with its tables of members as the schema has them.
func Document(page []byte) ([]byte, error) {
	head, rest, found := bytes.Cut(page, []byte(begin))
	_, tail, closed := bytes.Cut(rest, []byte(end))
	if !found || !closed {
		return nil, errors.New("no place for the members")
	}
	tables, err := members()
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{head, []byte(begin), []byte(tables), []byte(end), tail}, nil), nil
}

// node is what is read of a schema. Order keeps the members as the file has them.
type node struct {
	Type        string          `json:"type"`
	Description string          `json:"description"`
	Ref         string          `json:"$ref"`
	Enum        []string        `json:"enum"`
	Items       *node           `json:"items"`
	Properties  json.RawMessage `json:"properties"`
}

func members() (string, error) {
	var root struct {
		Properties json.RawMessage `json:"properties"`
		Defs       map[string]node `json:"$defs"`
	}
	if err := json.Unmarshal(JSON, &root); err != nil {
		return "", err
	}
	var b strings.Builder
	table := func(title string, properties json.RawMessage) error {
		fmt.Fprintf(&b, "\n### %s\n\n| member | type | meaning |\n|---|---|---|\n", title)
		return rows(&b, "", properties)
	}
	err := table("Every line", root.Properties)
	for _, part := range []struct{ def, title string }{
		{"start", "`start`"},
		{"end", "`teardown`, `outcome`, `close-failed`"},
		{"judgement", "`teardown`, `outcome`: the judgement"},
		{"outcome", "`outcome` only"},
		{"close-failed", "`close-failed` only"},
		{"loss", "`loss`"},
		{"counters", "`counters`"},
		{"stop", "`stop`"},
	} {
		err = errors.Join(err, table(part.title, root.Defs[part.def].Properties))
	}
	b.WriteString("\n")
	return b.String(), err
}

// rows writes one line for each member, objects member by member.
func rows(b *strings.Builder, prefix string, properties json.RawMessage) error {
	if len(properties) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(properties))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var n node
		if err := d.Decode(&n); err != nil {
			return err
		}
		path := prefix + name.(string)
		switch {
		case n.Type == "object" && len(n.Properties) > 0:
			err = rows(b, path+".", n.Properties)
		case n.Type == "array" && n.Items != nil && len(n.Items.Properties) > 0:
			row(b, path, &n)
			err = rows(b, path+"[].", n.Items.Properties)
		default:
			row(b, path, &n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func row(b *strings.Builder, path string, n *node) {
	kind, meaning := n.Type, n.Description
	names := n.Enum
	switch {
	case n.Ref == "#/$defs/time":
		kind = "time"
	case n.Type == "array":
		kind = "list of " + n.Items.Type + "s"
		names = n.Items.Enum
	}
	if len(names) > 0 {
		meaning += ": `" + strings.Join(names, "` `") + "`"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s |\n", path, kind, meaning)
}
