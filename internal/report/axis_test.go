package report

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// spyOnText notes what is written on canvases: text, left, right and top.
const spyOnText = `window.written = [];
const fill = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
	const m = this.measureText(text), p = this.getTransform().transformPoint(new DOMPoint(x, y));
	window.written.push([text, p.x - m.actualBoundingBoxLeft, p.x + m.actualBoundingBoxRight, p.y]);
	return fill.apply(this, arguments);
};`

// overlaps returns the neighbouring labels of the time axis that touch, and how
// many labels there are.
const overlaps = `(() => {
	const times = window.written.filter(w => /^\d\d(:\d\d|\d\d-)/.test(w[0])), bad = [];
	for (const a of times) for (const b of times)
		if (a[1] < b[1] && Math.abs(a[3] - b[3]) < 5 && a[1] < b[2] && b[1] < a[2]) bad.push(a[0] + " and " + b[0]);
	return times.length + " labels" + (bad.length ? ", overlapping: " + bad.join(", ") : "");
})()`

// TestTimeAxis: labels do not run into each other, whatever the span.
func TestTimeAxis(t *testing.T) {
	b := startBrowser(t)
	b.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": spyOnText}, nil)
	for _, span := range []time.Duration{30 * time.Millisecond, 900 * time.Millisecond, 3 * time.Second, time.Minute, 2 * time.Hour, 100 * time.Hour, 2000 * time.Hour} {
		p := New()
		for i := range 50 {
			r := model.Record{Kind: model.KindTeardown}
			r.Teardown.Time, r.Teardown.Verdict = begin.Add(span*time.Duration(i)/49), model.Graceful
			p.Add(&r)
		}
		var page bytes.Buffer
		if err := p.Write(&page, Options{}); err != nil {
			t.Fatal(err)
		}
		url, _ := serve(t, page.Bytes())
		for _, width := range []int{1280, 400} {
			b.look(width, 900, "light", "screen")
			b.open(url)
			var n int
			got := b.eval(overlaps).(string)
			fmt.Sscan(got, &n)
			if n < 2 || got != fmt.Sprint(n, " labels") {
				t.Errorf("%v on %d pixels: %s", span, width, got)
			}
		}
		b.picture("axis-" + span.String())
		b.quiet(url)
	}
}
