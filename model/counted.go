package model

import "time"

// Counted is ends of one process at one port that were only counted, because there is
// nothing to say of them: a record of [KindCounts]. They were graceful, with the cause fin:
// both sides closed, all data was acknowledged and read, no reset was sent or received, nothing
// was sent twice, SO_LINGER was not set. Its facts are the process, and in tcp.role and
// network what the ends have in common: the port of the listener, and the network namespace.
type Counted struct {
	// How many ends.
	Ends uint64 `json:"ends,omitzero"`
	// How many of those in earlier lines have a line of their own since, because evidence
	// came for them later: the sum of ends less the sum of taken_back is the number of ends without a line.
	TakenBack uint64 `json:"taken_back,omitzero"`
	// Since when, at most.
	Interval Opt[time.Duration] `json:"interval_ns,omitzero"`
	// Payload that the peers acknowledged.
	Sent uint64 `json:"bytes_sent,omitzero"`
	// Payload that was received.
	Received uint64 `json:"bytes_received,omitzero"`
}

// Net is by how many the number of ends without a line has grown. It is negative if more
// were taken back.
func (c *Counted) Net() int64 { return int64(c.Ends - c.TakenBack) }
