package human

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

func TestCost(t *testing.T) {
	for want, c := range map[string]model.Cost{
		"": {},
		"4.2 % CPU, 21us an end; BPF 1 %, 4us an end; 23 MB, maps 36 MB": {
			Duration: model.Some(10 * time.Second), Ends: model.Some(uint64(20_000)), CPU: model.Some(420 * time.Millisecond),
			BPF: model.Some(20 * time.Millisecond), BPFDuration: model.Some(2 * time.Second), BPFEnds: model.Some(uint64(5000)),
			Maps: 36e6, Memory: 23e6,
		},
		"<0.01 % CPU; BPF not measured; 23 MB, maps 36 MB": {
			Duration: model.Some(time.Minute), CPU: model.Some(time.Millisecond), Maps: 36e6, Memory: 23e6,
		},
	} {
		if got := Cost(&c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
