package etwsrc

// Provider is a source of events that a live session asked for.
type Provider struct {
	Name string
	// Err is why it could not be had.
	Err error
	// Optional: without it less is known, but ends are reported.
	Optional bool
}
