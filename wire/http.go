package wire

import "bytes"

// httpStatus returns the status of an HTTP/1 answer that begins here (RFC 9112, section
// 4), 0 if none does.
func httpStatus(b []byte) uint16 {
	const place = len("HTTP/1.1 ")
	if len(b) < place+3 || !bytes.HasPrefix(b, []byte("HTTP/1.")) || b[place-1] != ' ' {
		return 0
	}
	status := uint16(0)
	for _, digit := range b[place : place+3] {
		if digit < '0' || digit > '9' {
			return 0
		}
		status = status*10 + uint16(digit-'0')
	}
	return status
}
