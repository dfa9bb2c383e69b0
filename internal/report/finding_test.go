package report_test

import (
	"bytes"
	"fmt"
	"html"
	"net/netip"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/report"
	"github.com/closetrace/closetrace/model"
)

// TestPageBeginsWithFindings: a listener that dropped a connection is the first section, and its
// end is linked. A hostile name and id do not leave their places.
func TestPageBeginsWithFindings(t *testing.T) {
	r := report.New()
	for i, name := range []string{"gunicorn", "<script>x", "';id;'"} {
		end := model.Teardown{}
		end.ID, end.Time = fmt.Sprintf("b1-%d\"><i>", i), 1795893600_000000000
		end.Verdict, end.Cause, end.Confidence = model.Abortive, model.CauseListenerClosed, model.Certain
		end.Process.Name, end.TCP.Role = name, model.Passive
		end.Network.Local = model.Endpoint{Address: netip.MustParseAddr("127.0.0.1"), Port: 8000}
		end.Network.Peer = model.Endpoint{Address: netip.MustParseAddr("127.0.0.1"), Port: uint16(4000 + i)}
		end.TCP.Bytes.Unread = model.Some[uint64](79)
		r.Add(&model.Record{Kind: model.KindTeardown, Teardown: end})
	}
	var page bytes.Buffer
	if err := r.Write(&page, report.Options{}); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	findings := strings.Index(text, `<section id="findings"`)
	if findings < 0 || findings > strings.Index(text, `class="tiles"`) {
		t.Error("the page does not begin with findings")
	}
	for _, want := range []string{"gunicorn (port 8000) closed its listener with 1 connection waiting", `href="#end-b1-0`, `id="end-b1-0`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if text := html.UnescapeString(text); !strings.Contains(text, `'\'';id;'\''`) || strings.Contains(text, `"';id;'"`) {
		t.Error("the shell takes a name in a filter for commands")
	}
	if strings.Contains(text, "<i>") || strings.Contains(text, "<script>x") {
		t.Error("a name of the recording is HTML of the page")
	}
}

// TestPageSaysWhatItLeavesOut: of many findings the worst ten are on the page, and it says so.
func TestPageSaysWhatItLeavesOut(t *testing.T) {
	r := report.New()
	for i := range 12 {
		end := model.Teardown{}
		end.ID, end.Time = fmt.Sprintf("b1-%d", i), 1795893600_000000000
		end.Verdict, end.Cause, end.Confidence = model.Abortive, model.CauseListenerClosed, model.Certain
		end.Process.Name, end.TCP.Role = "gunicorn", model.Passive
		end.Network.Local = model.Endpoint{Address: netip.MustParseAddr("127.0.0.1"), Port: uint16(8000 + i)}
		end.Network.Peer = model.Endpoint{Address: netip.MustParseAddr("127.0.0.1"), Port: 4000}
		r.Add(&model.Record{Kind: model.KindTeardown, Teardown: end})
	}
	var page bytes.Buffer
	if err := r.Write(&page, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), "2 more: closetrace diagnose") {
		t.Error("the page does not say that it leaves two findings out")
	}
}

// TestPageOfLossesThatMissNoEnd: counts are called too low only if an end may be missing.
func TestPageOfLossesThatMissNoEnd(t *testing.T) {
	r := report.New()
	r.Add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 5, Where: "late-evidence"}})
	var page bytes.Buffer
	if err := r.Write(&page, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if text := page.String(); strings.Contains(text, "too low") || !strings.Contains(text, "5 pieces of late evidence lost: no end is missing") {
		t.Error("the page says nothing of late evidence that was lost, or that counts are too low")
	}
}
