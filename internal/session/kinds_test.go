package session

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/model"
)

// thrownAway is a source of files that have a PID in each line after their name.
type thrownAway struct {
	in   io.Reader
	more int
}

const thrownAwayName = "throw-away\n"

func (s *thrownAway) Start() model.Start { return model.Start{Backend: "throw-away"} }
func (s *thrownAway) Close() error       { return nil }
func (s *thrownAway) End() model.Time    { return 9 }
func (s *thrownAway) Remarks() []string  { return []string{"read with " + fmt.Sprint(s.more)} }

func (s *thrownAway) Events(context.Context) iter.Seq2[*model.Event, error] {
	return func(yield func(*model.Event, error) bool) {
		text, err := io.ReadAll(s.in)
		for range strings.Lines(string(text)[len(thrownAwayName):]) {
			e := model.NewEvent(model.KindTeardown, model.Facts{})
			e.Teardown.Process.PID = s.more
			if !yield(&e, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// A source of files, with a flag of its own, is one line of the table and its package: it is
// known by its content, from a file and through a pipe, and what is of others stays theirs.
func TestSourceIsOneLine(t *testing.T) {
	more := 0
	before := kinds
	defer func() { kinds = before }()
	kinds = append([]kind{{
		open: func(in *input, _ *OpenOptions) (opened, error) {
			if string(in.head(len(thrownAwayName))) != thrownAwayName {
				return nil, errOther
			}
			return &judgedFile{&thrownAway{in.stream, more}, in}, nil
		},
		flags: func(flags *pflag.FlagSet, _ *OpenOptions) { flags.IntVar(&more, "more", 0, "") },
	}}, before...)
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	if err := os.WriteFile(path, []byte(thrownAwayName+"1\n2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var o OpenOptions
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.Flags(flags)
	if err := flags.Parse([]string{"--more", "7", "--local", "10.0.0.0/8,::1"}); err != nil {
		t.Fatal(err)
	}
	if len(o.Capture.Local) != 2 {
		t.Errorf("--local: %v", o.Capture.Local)
	}
	f, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for r, err := range f.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, fmt.Sprint(r.Kind, r.Teardown.Process.PID))
	}
	var remarks bytes.Buffer
	f.Report(&remarks)
	read, size := f.Progress()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if got := strings.Join(said, " "); got != "start 0 teardown 7 teardown 7 stop 0" || !strings.HasSuffix(remarks.String(), "read with 7\n") || read != size || f.Live() {
		t.Errorf("%s, %q, %d of %d bytes", got, remarks.String(), read, size)
	}
	for name, text := range map[string]string{"recording": "{\"kind\":\"start\"}\n", "nothing": "", "words": "what is this?"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path, OpenOptions{})
		if err != nil {
			continue
		}
		if _, ok := f.opened.(*recording); !ok {
			t.Errorf("%s is opened as %T", name, f.opened)
		}
		f.Close()
	}
}
