package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

const recipes = "../../deploy/collector/"

// TestCollectorReadsRecipes: the Collector, which has the exporters of all, finds each valid.
func TestCollectorReadsRecipes(t *testing.T) {
	program := collectorProgram(t)
	files, err := filepath.Glob(recipes + "*.yaml")
	if err != nil || len(files) != 4 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "base.yaml" {
			continue
		}
		c := exec.Command(program, "validate", "--config", recipes+"base.yaml", "--config", file)
		c.Env = append(os.Environ(), "CLICKHOUSE_HOST=clickhouse", "LOKI_HOST=loki", "KAFKA_HOST=kafka")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// TestTailFilter: of an agent with --all the filter of base.yaml keeps what was not
// graceful, and the healthy ends whose close() waited.
func TestTailFilter(t *testing.T) {
	program := collectorProgram(t)
	s := newSink()
	s.keep = true
	base, err := os.ReadFile(recipes + "base.yaml")
	if err != nil {
		t.Fatal(err)
	}
	address, folder := freeAddress(t), t.TempDir()
	text := strings.NewReplacer("0.0.0.0:4318", address, "0.0.0.0:4317", freeAddress(t)).Replace(string(base))
	for name, text := range map[string]string{
		"base.yaml": text,
		"sink.yaml": "exporters: {otlp_http: {endpoint: \"" + s.http(t) + "\"}}\n" +
			"service: {pipelines: {logs: {receivers: [otlp], processors: [memory_limiter, filter/tail, batch], exporters: [otlp_http]}}}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &process{t: t, args: []string{program, "--config", folder + "/base.yaml", "--config", folder + "/sink.yaml"}}
	p.start()
	t.Cleanup(p.kill)
	a := newTest(t, Options{Endpoint: "http://" + address, Choice: Choice{All: true}, Spool: t.TempDir() + "/spool", SpoolSize: 1 << 20})
	blocked := func(d time.Duration) func(*model.Teardown) {
		return func(t *model.Teardown) { healthy(t); t.CloseBlocked = model.Some(d) }
	}
	a.Add(end(1))
	a.Add(end(2, healthy))
	a.Add(end(3, blocked(time.Millisecond)))
	a.Add(end(4, blocked(time.Second)))
	a.Add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 7, Where: "ring"}})
	answered(t, a, 5)
	eventually(t, "what is kept arrives", func() bool { return s.unique() >= 3 })
	time.Sleep(100 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	for _, r := range s.records {
		got = append(got, r.EventName+" "+attributeOf(r, "id"))
	}
	want := "closetrace.tcp.teardown 7f3a-1, closetrace.tcp.teardown 7f3a-4, closetrace.tcp.loss "
	if strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}
