// Package flow follows TCP connections through a capture: what each end sent, what of
// it was acknowledged, and how it ended.
//
//	segments ──► Table ──► Conn of the tuple: side, side ──► ended and quiet for a while ──► Ended
//
// It observes, without judging: whether a RST fits the sequence numbers is here, what
// that says about an application is in model. Its clock is that of the segments. Memory
// is bounded by the number of connections: see [Table].
package flow
