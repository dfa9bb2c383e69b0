// Package manifest reads windows-events.json: what is publicly known of the
// payloads of the events that closetrace reads, by provider, event and
// version. The generator and the tests' trace writer read it; the program
// itself has the generated table of package payload.
package manifest

import (
	_ "embed" // windows-events.json
	"encoding/json"
	"fmt"
	"strconv"
)

//go:embed windows-events.json
var events []byte

// Event is the template of one event in one version.
type Event struct {
	Provider string  `json:"provider"`
	GUID     string  `json:"guid"`
	ID       uint16  `json:"id"`
	Version  uint8   `json:"version"`
	Name     string  `json:"name"`
	Level    uint8   `json:"level"`
	Fields   []Field `json:"fields"`
	// FirstSeen is the first Windows release in which this version was found.
	FirstSeen string `json:"first_seen"`
}

// Field is one field of a payload; the fields follow each other without padding.
type Field struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Size Size   `json:"size"`
}

// Size is a field's size: Bytes if fixed; Ptr pointers more; or the value of
// the earlier field Of; all zero for a string that ends with NUL.
type Size struct {
	Bytes int
	Ptr   int
	Of    string
}

// UnmarshalJSON implements [json.Unmarshaler]: 4, "ptr", "4+ptr", "=Length", "nul".
func (s *Size) UnmarshalJSON(data []byte) error {
	if n, err := strconv.Atoi(string(data)); err == nil {
		*s = Size{Bytes: n}
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("size %s: %w", data, err)
	}
	switch {
	case text == "ptr":
		*s = Size{Ptr: 1}
	case text == "4+ptr":
		*s = Size{Bytes: 4, Ptr: 1}
	case len(text) > 1 && text[0] == '=':
		*s = Size{Of: text[1:]}
	default:
		*s = Size{}
	}
	return nil
}

// Events returns all templates.
func Events() ([]Event, error) {
	var file struct {
		Events []Event `json:"events"`
	}
	if err := json.Unmarshal(events, &file); err != nil {
		return nil, fmt.Errorf("parse windows-events.json: %w", err)
	}
	return file.Events, nil
}
