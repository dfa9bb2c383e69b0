package record

import (
	"math/rand/v2"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestMoments: the kept texts of seconds are never those of another second, whatever
// came before.
func TestMoments(t *testing.T) {
	e := encoder{parts: new(parts)}
	random := rand.New(rand.NewPCG(1, 2))
	at := model.Time(1_700_000_000_000_000_000)
	for range 20_000 {
		for _, v := range []model.Time{
			at, at - 1e9, at - 2e9, at + 1e9, at - 400*86400e9, // two of the same slot among them
			-at, 0, 1, -1, 999_999_999, 1e9, model.Time(random.Int64()), -model.Time(random.Int64()),
		} {
			got, want := string(e.moment(nil, v)), v.Go().Format(model.TimeLayout)
			if got != want {
				t.Fatalf("%d: got %s, want %s", v, got, want)
			}
		}
		at += model.Time(random.Int64N(15e8))
	}
}
