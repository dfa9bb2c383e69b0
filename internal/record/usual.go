package record

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// What facts usually are that follow from others; the model's tags say which. A line
// with facts.usual has them only if they are something else.

// usualLastReceived: an answer comes within a jiffy, in which both are measured.
func usualLastReceived(v *model.TCP) model.Time {
	if v.Bytes.Received.Or(0) == 0 {
		return 0
	}
	return v.LastSent
}

// usualIdle: most connections are closed when all is said.
func usualIdle(v *model.TCP) (none model.Opt[time.Duration]) {
	if v.LastSpeaker == 0 {
		return none
	}
	return model.Some(time.Duration(0))
}
