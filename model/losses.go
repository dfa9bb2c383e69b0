package model

// Losses are losses by what they cost.
type Losses struct {
	Ends   uint64 // connection ends that are not in the stream
	Less   uint64 // ends that are told without what happened before
	Late   uint64 // pieces of late evidence, which would have amended ends
	Events uint64 // others, of which nobody knows what they would have said
}

// Add counts l.
func (s *Losses) Add(l *Loss) {
	switch l.Where {
	case "ring-buffer":
		s.Ends += l.Count
	case "connection-table":
		s.Less += l.Count
	case "late-evidence":
		s.Late += l.Count
	default:
		s.Events += l.Count
	}
}

// Missing is how many records may be missing.
func (s *Losses) Missing() uint64 { return s.Ends + s.Events }

// Total is the sum of all.
func (s *Losses) Total() uint64 { return s.Ends + s.Less + s.Late + s.Events }
