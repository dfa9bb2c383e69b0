package tui

import (
	"testing"
	"time"
)

func BenchmarkIntake(b *testing.B) {
	records := feed(4096, at, time.Millisecond)
	for name, expr := range map[string]string{"all": "", "filtered": "tcp.bytes.unread > 2000"} {
		b.Run(name, func(b *testing.B) {
			in := newIntake(DefaultKeep)
			q := query{expr: expr}
			match, err := q.compile()
			if err != nil {
				b.Fatal(err)
			}
			in.deck.choose(match.record())
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				r := &records[i%len(records)]
				r.Teardown.Time = at.Add(time.Duration(i) * 10 * time.Microsecond)
				in.add(r)
				i++
			}
		})
	}
}

func BenchmarkFrame(b *testing.B) {
	in := newIntake(DefaultKeep)
	for _, r := range feed(DefaultKeep, at, time.Millisecond) {
		in.add(&r)
	}
	for _, place := range []int{0, 1, 3} {
		b.Run(newScreen(Config{}, in).views[place].title(), func(b *testing.B) {
			s := newScreen(Config{Start: demoStart, Now: time.Now, Background: BackgroundDark}, in)
			s.width, s.height, s.view = 120, 40, s.views[place]
			now := at
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(frame)
				_, _ = s.Update(tickMsg(now))
				_ = s.View()
			}
		})
	}
}
