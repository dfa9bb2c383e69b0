package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/summary"
	"github.com/closetrace/closetrace/model"
)

//go:embed page/page.html page/page.css page/page.js uplot/uPlot.iife.min.js uplot/uPlot.min.css uplot/LICENSE
var files embed.FS

// Options says what the page has beside the records.
type Options struct {
	// Title is the heading; empty names the traced host.
	Title string
	// Version is that of the program that makes the page.
	Version string
	// Chosen is what was chosen of the recording, in words; empty is all.
	Chosen string
	// Warnings are about the reading: lines that were skipped, an end that is
	// missing. They stand on top.
	Warnings []string
}

// Report collects records. It is for one goroutine.
type Report struct {
	summary *summary.Summary
	worst   worst
	found   *findings.Engine
}

// New returns an empty Report.
func New() *Report { return &Report{summary: summary.New(), found: findings.New()} }

// Add counts r, which may be reused afterwards.
func (r *Report) Add(record *model.Record) {
	r.summary.Add(record)
	r.found.Add(record)
	switch record.Kind {
	case model.KindTeardown:
		r.worst.add(&record.Teardown)
	case model.KindOutcome:
		r.worst.amend(record)
	default:
	}
}

// Write writes the page.
func (r *Report) Write(w io.Writer, o Options) error {
	t, err := template.ParseFS(files, "page/page.html")
	if err != nil {
		return fmt.Errorf("parse page: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, r.page(&o)); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// asset returns an embedded file.
func asset(name string) string {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // embedded above
	}
	return string(data)
}

// policy allows exactly the given scripts and styles, and nothing from anywhere.
func policy(scripts, styles []string) string {
	p := "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; script-src"
	for _, s := range scripts {
		p += " " + hash(s)
	}
	p += "; style-src"
	for _, s := range styles {
		p += " " + hash(s)
	}
	return p
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
