package model

// Overrules reports whether the judgement of r, an outcome, takes the place of
// its teardown's: an end counts under what finally happened. A close() that gave
// up waiting has given up, even if everything arrived in the end: a graceful
// outcome overrules only what it retracts.
func (r *Record) Overrules() bool {
	return r.Kind == KindOutcome && (r.Retracts || r.Teardown.Verdict != Graceful && r.Teardown.Verdict != VerdictUnknown)
}

// Amend makes t, a teardown, the end that it is after its outcome r. The time
// stays that of the teardown.
func (t *Teardown) Amend(r *Record) {
	o := &r.Teardown
	if r.Overrules() {
		blocked, peer := t.CloseBlocked, t.PeerCause // of PeerEnd, which stays
		lingered := t.LingerOutcome
		t.Judgement = o.Judgement
		t.PeerCause = peer
		if !r.Retracts && !t.CloseBlocked.Known() {
			t.CloseBlocked = blocked
		}
		if t.LingerOutcome == LingerUnknown {
			t.LingerOutcome = lingered
		}
	}
	t.TCP.amend(&o.TCP)
}

// amend takes over what a later look knows.
func (t *TCP) amend(o *TCP) {
	known(&t.RST.Sent, o.RST.Sent)
	known(&t.RST.Received, o.RST.Received)
	if o.RST.Reason != "" {
		t.RST.Reason = o.RST.Reason
	}
	if o.Error != "" {
		t.Error = o.Error
	}
	t.Bytes.Amend(o.Bytes)
}

// Amend takes over what a later count knows.
func (b *Bytes) Amend(o Bytes) {
	known(&b.Sent, o.Sent)
	known(&b.Received, o.Received)
	known(&b.Unsent, o.Unsent)
	if o.Unacked.Known() && !o.Unsent.Known() {
		b.Unsent = Opt[uint64]{} // what had not left then may be among what was acknowledged
	}
	known(&b.Unacked, o.Unacked)
	known(&b.Unread, o.Unread)
}

func known[T comparable](to *Opt[T], from Opt[T]) {
	if from.Known() {
		*to = from
	}
}
