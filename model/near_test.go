package model_test

import (
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestUnknownNames: who writes a name wrongly is told which one was meant, or which
// there are.
func TestUnknownNames(t *testing.T) {
	var (
		verdict model.Verdict
		cause   model.Cause
		state   model.State
	)
	for _, c := range []struct {
		value interface{ UnmarshalText([]byte) error }
		text  string
		want  string
	}{
		{&verdict, "abortiv", `unknown verdict "abortiv": did you mean abortive?`},
		{&verdict, "obortave", `unknown verdict "obortave": did you mean abortive?`},
		{&verdict, "rgcaeful", `unknown verdict "rgcaeful": did you mean graceful?`},
		{&verdict, "lingar-tameaut", `unknown verdict "lingar-tameaut": want unknown, graceful, abortive, linger-timeout, failed-open, silent`},
		{&verdict, "linger", `unknown verdict "linger": did you mean linger-timeout?`},
		{&verdict, "rude", `unknown verdict "rude": want unknown, graceful, abortive, linger-timeout, failed-open, silent`},
		{&cause, "unread_data", `unknown cause "unread_data": did you mean unread-data?`},
		{&cause, "finwait", `unknown cause "finwait": did you mean finwait2-timeout?`},
		{&cause, "data-after", `unknown cause "data-after": did you mean data-after-close or data-after-shutdown?`},
		{&cause, "lnger-zero", `unknown cause "lnger-zero": did you mean linger-zero?`},
		{&cause, "xyz", `unknown cause "xyz"`},
		{&state, "ESTABLISHD", `unknown state "ESTABLISHD": did you mean ESTABLISHED?`},
	} {
		if err := c.value.UnmarshalText([]byte(c.text)); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.text, err, c.want)
		}
	}
}
