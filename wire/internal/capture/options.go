package capture

import "encoding/binary"

// The options that are read.
const (
	optionEnd           = 0
	optionComment       = 1
	optionFlags         = 2      // of a packet
	optionSystem        = 3      // shb_os
	optionInterfaceDrop = 5      // isb_ifdrop
	optionSystemDrop    = 7      // isb_osdrop
	optionVerdict       = 7      // epb_verdict
	optionResolution    = 9      // if_tsresol
	optionOffset        = 14     // if_tsoffset
	optionProcess       = 0x8001 // of Apple's tcpdump: the number of a process
)

// options are those of a block, as they stand there.
type options struct {
	data  []byte
	order binary.ByteOrder
}

func (c *Reader) optionsOf(b []byte) options { return options{b, c.order} }

// each calls do for each option until it returns false or the rest makes no sense.
func (o options) each(do func(code uint16, value []byte) bool) {
	for b := o.data; len(b) >= 4; {
		code, size := o.order.Uint16(b), int(o.order.Uint16(b[2:]))
		b = b[4:]
		if code == optionEnd || size > len(b) || !do(code, b[:size]) {
			return
		}
		b = b[min((size+3)&^3, len(b)):]
	}
}
