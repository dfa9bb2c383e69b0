package report

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/ledger/ledgertest"
)

var tags = regexp.MustCompile(`(?s)<style.*?</style>|<script.*?</script>|<[^>]*>`)

// TestNumbersOfMade: the tiles and tables have the numbers of the recording as it
// was made.
func TestNumbersOfMade(t *testing.T) {
	made := ledgertest.Make(21, 3000)
	r := New()
	for i := range made.Records {
		r.Add(&made.Records[i])
	}
	var out bytes.Buffer
	if err := r.Write(&out, Options{}); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(out.String(), " "))), " ")
	want := made.Count(ledgertest.All)
	has := func(parts ...string) {
		t.Helper()
		if s := strings.Join(parts, " "); !strings.Contains(text, s) {
			t.Errorf("the page has no %q", s)
		}
	}
	has(human.Count(want.Ends), "connection ends")
	for v, n := range want.Verdicts {
		has(human.Count(n), v)
		has(v, human.Count(n))
	}
	for c, n := range want.Causes {
		has(c, human.Count(n))
	}
	has(human.Bytes(want.Lost), fmt.Sprintf("bytes lost by %s ends", human.Count(want.Lossy)))
	has("inferred", human.Count(want.Inferred), "ends")
	has(human.Count(want.Retracted), "linger timeouts were taken back")
	has("lost events", human.Count(made.Lost))
	for name, c := range want.Processes {
		has(name, human.Count(c.Ends), human.Count(c.Ends-c.Verdicts["graceful"]), human.Bytes(c.Lost))
	}
	for name, c := range want.Peers {
		has(name, human.Count(c.Ends), human.Count(c.Ends-c.Verdicts["graceful"]), human.Bytes(c.Lost))
	}
}

// TestWorstAreAmended: what is listed is what happened finally.
func TestWorstAreAmended(t *testing.T) {
	made := ledgertest.Make(22, 90)
	r := New()
	for i := range made.Records {
		r.Add(&made.Records[i])
	}
	want := made.Count(ledgertest.All)
	verdicts, lost := map[string]uint64{}, uint64(0)
	list, _ := r.worst.list()
	for _, w := range list {
		verdicts[w.Verdict.String()]++
		lost += w.TCP.Bytes.Lost()
	}
	delete(want.Verdicts, "graceful") // those lost nothing
	if fmt.Sprint(verdicts) != fmt.Sprint(want.Verdicts) || lost != want.Lost {
		t.Errorf("the worst are %v, with %d lost; want all bad ends, %v and %d", verdicts, lost, want.Verdicts, want.Lost)
	}
}
