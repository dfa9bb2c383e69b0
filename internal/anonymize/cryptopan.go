package anonymize

import (
	"crypto/aes"
	"crypto/cipher"
	"net/netip"
)

// prefixes is Crypto-PAn (Xu, Fan, Ammar, Moon: Prefix-Preserving IP Address
// Anonymization, ICNP 2002): each bit is turned over by what AES makes of the bits
// before it. No library of Go has it.
type prefixes struct {
	block cipher.Block
	pad   [16]byte
}

func newPrefixes(key *[32]byte) (*prefixes, error) {
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		return nil, err
	}
	p := &prefixes{block: block}
	block.Encrypt(p.pad[:], key[16:])
	return p, nil
}

// replace returns the address in the place of a. Loopback and unspecified addresses
// tell nothing and stay. The zone, a name of an interface, goes.
func (p *prefixes) replace(a netip.Addr) netip.Addr {
	if !a.IsValid() || a.Unmap().IsLoopback() || a.Unmap().IsUnspecified() {
		return a.WithZone("")
	}
	b := a.Unmap().AsSlice()
	p.turn(b)
	replaced, _ := netip.AddrFromSlice(b)
	if a.Is4In6() {
		return netip.AddrFrom16(replaced.As16())
	}
	return replaced
}

// turn replaces the bits of an address.
func (p *prefixes) turn(address []byte) {
	original := append([]byte(nil), address...)
	input, output := p.pad, [16]byte{}
	for bit := range len(address) * 8 {
		at, mask := bit/8, byte(0x80)>>(bit%8)
		p.block.Encrypt(output[:], input[:])
		address[at] ^= mask & -(output[0] >> 7)
		input[at] = input[at]&^mask | original[at]&mask // the prefix grows by this bit
	}
}

// misleads reports whether private addresses become ones of 0.0.0.0/8 or 127.0.0.0/8, which
// are no host's: that a connection was within one host would be read from them.
func (p *prefixes) misleads() bool {
	for _, private := range []byte{10, 100, 172, 192} { // the first bytes decide
		b := []byte{private}
		if p.turn(b); b[0] == 0 || b[0] == 127 {
			return true
		}
	}
	return false
}
