package report

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// serve serves the page and counts what is asked for.
func serve(t *testing.T, page []byte) (url string, asked *atomic.Int64) {
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/", asked
}

func TestInChromium(t *testing.T) {
	b := startBrowser(t)
	page := pageOf(t, 50000)
	url, asked := serve(t, page)
	b.look(1280, 900, "light", "screen")
	b.open(url)
	b.picture("light")
	b.works()
	uncut := func() {
		t.Helper()
		if cut := b.eval(`Array.from(document.querySelectorAll(".scroll")).filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 40)).join(" | ")`); cut != "" {
			t.Errorf("tables are cut: %v", cut)
		}
	}
	uncut()
	b.look(1280, 900, "dark", "screen")
	b.picture("dark")
	b.look(400, 800, "light", "screen")
	if got := b.eval(`document.documentElement.scrollWidth`).(float64); got > 400 {
		t.Errorf("on a narrow screen the page is %v wide: %v", got, b.eval(`Array.from(document.querySelectorAll("main *")).filter(e => e.getBoundingClientRect().right > 401 && !e.closest(".scroll")).slice(0, 5).map(e => e.tagName + "." + e.className.baseVal + e.id + e.textContent.slice(0, 30)).join(" | ")`))
	}
	uncut()
	b.picture("narrow")
	b.look(900, 900, "light", "print")
	b.picture("print")
	if b.eval(`getComputedStyle(document.getElementById("still")).display`) == "none" {
		t.Error("on paper there is no time line")
	}
	b.quiet(url)
	if n := asked.Load(); n != 1 {
		t.Errorf("the page made %d requests, want 1 for itself", n)
	}
	var pdf struct{ Data string }
	b.call("Page.printToPDF", map[string]any{"printBackground": true}, &pdf)
	if len(pdf.Data) < 10000 {
		t.Errorf("printed page has %d bytes", len(pdf.Data))
	}
}

// works uses the page as a reader does, with the keyboard.
func (b *browser) works() {
	t := b.t
	t.Helper()
	if n := b.eval(`document.querySelectorAll("#chart canvas").length`).(float64); n != 1 {
		t.Fatalf("got %v charts, want 1", n)
	}
	if painted := b.eval(`(() => { const c = document.querySelector("#chart canvas"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, s = new Set();
		for (let i = 0; i < d.length; i += 4) if (d[i+3] > 250) s.add(d[i] << 16 | d[i+1] << 8 | d[i+2]); return s.size })()`).(float64); painted < 5 {
		t.Errorf("the chart has %v colours", painted)
	}
	width := func() float64 {
		return b.eval(`Array.from(document.querySelectorAll("#worst tbody tr")).filter(r => !r.hidden).length`).(float64)
	}
	rows := width()
	b.eval(`document.getElementById("find").focus()`)
	for _, c := range "curl" {
		b.key(string(c), int(c-32), string(c))
	}
	if now := width(); now == rows || now == 0 {
		t.Errorf("filter: got %v of %v rows", now, rows)
	}
	b.eval(`document.getElementById("find").value = ""; document.getElementById("find").dispatchEvent(new Event("input"))`)
	b.key("Tab", 9, "")
	if got := b.eval(`document.activeElement.textContent`); got != "Time" {
		t.Errorf("after Tab the focus is on %q, want the first column's head", got)
	}
	b.key("Enter", 13, "\r")
	first := b.eval(`document.querySelector("#worst tbody td").textContent`)
	b.key("Enter", 13, "\r")
	second := b.eval(`document.querySelector("#worst tbody td").textContent`)
	if fmt.Sprint(first) <= fmt.Sprint(second) {
		t.Errorf("sorted by time: first %v, then %v; want descending, then ascending", first, second)
	}
	b.eval(`document.querySelector("#worst summary").focus()`)
	b.key("Enter", 13, "\r")
	if b.eval(`document.querySelector("#worst details").open`) != true {
		t.Error("Enter does not open the details")
	}
	b.eval(`document.querySelector("#worst details").open = false`)
	before := b.eval(`document.querySelector("#chart canvas").toDataURL()`)
	b.eval(`document.querySelector("[data-zoom=in]").focus()`)
	b.key(" ", 32, " ")
	b.eval(`new Promise(r => setTimeout(r, 100))`)
	if after := b.eval(`document.querySelector("#chart canvas").toDataURL()`); after == before {
		t.Error("the button to zoom in changes nothing")
	}
	b.eval(`document.querySelector("[data-zoom=all]").click()`)
	if n := b.eval(`document.querySelectorAll("script").length`).(float64); n != 3 {
		t.Errorf("got %v scripts, want 3: a name became one", n)
	}
	if n := b.eval(`document.querySelectorAll("img").length`).(float64); n != 0 {
		t.Errorf("got %v images: a name became one", n)
	}
}

func TestWithoutScripts(t *testing.T) {
	b := startBrowser(t)
	page := pageOf(t, 2000)
	url, _ := serve(t, page)
	b.look(1280, 900, "light", "screen")
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	before := b.loaded
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	for b.loaded == before {
		b.receive()
	}
	b.picture("no-script")
	b.quiet(url)
}

// TestMillion holds what is promised of a large recording.
func TestMillion(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	page := pageOf(t, n)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if len(page) > 2<<20 {
		t.Errorf("the page has %d bytes, want less than 2 MiB", len(page))
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if file := os.Getenv("CLOSETRACE_PICTURES"); file != "" {
		os.WriteFile(file+"/million.html", page, 0o644)
	}
	b := startBrowser(t)
	empty, _ := serve(t, []byte(`<!DOCTYPE html><link rel="icon" href="data:,"><title>nothing</title>`))
	b.open(empty) // the browser's own start is not the page's
	b.requests = nil
	url, _ := serve(t, page)
	b.call("Performance.enable", map[string]any{"timeDomain": "threadTicks"}, nil)
	took := b.open(url)
	work := b.work()
	t.Logf("%d bytes, drawn %v after the request, %v of work", len(page), took, work)
	if work > 2*time.Second {
		t.Errorf("the page took %v to be drawn, want less than 2s", work)
	}
	b.quiet(url)
}

// TestHostileNamesAreText looks at the bytes, without a browser.
func TestHostileNamesAreText(t *testing.T) {
	page := string(pageOf(t, 1000))
	for _, bad := range []string{"<script>alert", "<img", "onerror=alert(1)>", "\x1b", "\u202e", "' onmouseover='", "\xff"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(page, "evil&lt;/script&gt;&lt;script&gt;alert(1)") {
		t.Error("the hostile name is not shown as text")
	}
	if n := strings.Count(page, "<script"); n != 3 {
		t.Errorf("got %d scripts, want 3", n)
	}
	for _, m := range regexp.MustCompile(`(?:src|href|action)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if m[1] != "data:," && !strings.HasPrefix(m[1], "#") {
			t.Errorf("the page points to %s", m[1])
		}
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
}

func TestEmptyPage(t *testing.T) {
	var out bytes.Buffer
	if err := New().Write(&out, Options{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Nothing was recorded") {
		t.Error("an empty page does not say so")
	}
	b := startBrowser(t)
	url, _ := serve(t, out.Bytes())
	b.open(url)
	b.quiet(url)
}

func TestEveryCauseIsListed(t *testing.T) {
	p := New()
	for _, c := range model.Causes() {
		for i := range 100 {
			r := model.Record{Kind: model.KindTeardown}
			r.Teardown.Time, r.Teardown.Cause, r.Teardown.Verdict = begin+model.Time(i), c, model.Abortive
			if c == model.CausePeerReset {
				r.Teardown.TCP.Bytes.Unread = model.Some(uint64(i)) // would push all others out
			}
			p.Add(&r)
		}
	}
	list, _ := p.worst.list()
	count := map[model.Cause]int{}
	for i, e := range list {
		count[e.Cause]++
		if i > 0 && compare(list[i-1], e) > 0 {
			t.Errorf("row %d is worse than the one before", i)
		}
	}
	for _, c := range model.Causes() {
		if count[c] < shownOfCause {
			t.Errorf("%v: got %d rows, want at least %d", c, count[c], shownOfCause)
		}
	}
	if len(list) != shownWorst || list[0].TCP.Bytes.Unread.Or(0) != 99 {
		t.Errorf("got %d rows, the first with %v unread", len(list), list[0].TCP.Bytes.Unread)
	}
}

// TestRetractedIsNotListed: a linger timeout that was taken back is listed as
// what it was.
func TestRetractedIsNotListed(t *testing.T) {
	p := New()
	for i := range 3 {
		r := model.Record{Kind: model.KindTeardown}
		r.Teardown.ID, r.Teardown.Verdict, r.Teardown.Cause = fmt.Sprint(i), model.LingerTimeout, model.CauseLingerExpired
		p.Add(&r)
	}
	then := model.Record{Kind: model.KindOutcome, Retracts: true}
	then.Teardown.ID, then.Teardown.Verdict, then.Teardown.Cause = "1", model.Abortive, model.CausePeerReset
	p.Add(&then)
	got := map[string]model.Cause{}
	list, _ := p.worst.list()
	for _, e := range list {
		got[e.ID] = e.Cause
	}
	want := map[string]model.Cause{"0": model.CauseLingerExpired, "1": model.CausePeerReset, "2": model.CauseLingerExpired}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestExplanationsAreRead: no Markdown is left where the page shows text.
func TestExplanationsAreRead(t *testing.T) {
	for _, c := range model.Causes() {
		for _, s := range model.Explain(c).Sections {
			for _, b := range blocks(&s) {
				if strings.Contains(string(b.Paragraph), "```") || strings.Contains(b.Code, "```") || strings.HasPrefix(string(b.Paragraph), "- ") {
					t.Errorf("%v, %s: %q", c, s.Heading, b)
				}
			}
		}
	}
}
