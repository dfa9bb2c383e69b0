package lab

import "fmt"

// Finding is a difference between a scenario's truth and a tracer's records.
type Finding struct {
	Scenario string
	// End is the label of the connection end; for an extra record, its tuple.
	End  string
	Kind FindingKind
	// Field names the part of the record, as in the file format; empty if the
	// whole record is missing or extra.
	Field     string
	Want, Got string
	// Certain: the record said so with [model.Certain]. It did not need to know
	// more, so that nothing that a host hides or delays excuses it. Only of
	// judgements and of extra records.
	Certain bool
}

// FindingKind says what is wrong.
type FindingKind uint8

const (
	_       FindingKind = iota
	Missing             // an end or its outcome has no record
	Extra               // a record belongs to no end
	Wrong               // a record says something that is not true
	Absent              // a record does not say what is known to be true
)

// String returns the kind in a word.
func (k FindingKind) String() string {
	switch k {
	case Missing:
		return "missing"
	case Extra:
		return "extra"
	case Wrong:
		return "wrong"
	case Absent:
		return "absent"
	}
	return fmt.Sprintf("kind %d", k)
}

// String returns one line: linger-zero a: wrong verdict: got "graceful", want "abortive".
func (f Finding) String() string {
	s := fmt.Sprintf("%s %s: %v", f.Scenario, f.End, f.Kind)
	if f.Field != "" {
		s += " " + f.Field
	}
	if f.Want != "" || f.Got != "" {
		how := ""
		if f.Certain {
			how = " for certain"
		}
		s += fmt.Sprintf(": got %q%s, want %q", f.Got, how, f.Want)
	}
	return s
}
