package flow

// Alert is what the record of a TLS alert shows.
type Alert struct {
	Seen bool
	// Clear: it is not encrypted, and the other two are known.
	Clear       bool
	Level       uint8
	Description uint8
}

// CloseNotify reports whether it is known to announce the end.
func (a Alert) CloseNotify() bool { return a.Clear && a.Description == 0 }

// tlsAlert looks for an alert as the last record of a segment that begins with a
// record (RFC 8446, section 5.1; since TLS 1.3 an encrypted alert looks like data).
func tlsAlert(b []byte) Alert {
	const header, alert, least, most = 5, 21, 20, 24
	for len(b) >= header && b[0] >= least && b[0] <= most && b[1] == 3 && b[2] <= 4 {
		size := int(b[3])<<8 | int(b[4])
		if b[0] == alert && size >= 2 && len(b) >= header+2 && len(b) <= header+size {
			if size == 2 {
				return Alert{Seen: true, Clear: true, Level: b[5], Description: b[6]}
			}
			return Alert{Seen: true}
		}
		if size+header >= len(b) {
			break
		}
		b = b[header+size:]
	}
	return Alert{}
}
