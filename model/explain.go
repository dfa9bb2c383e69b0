package model

import (
	"embed"
	"strings"
)

//go:generate go run ./explain/generate ../docs

// explanations holds one text for each cause, with the headings that explain_test.go names.
//
//go:embed explain/*.md
var explanations embed.FS

// Explanation says in prose what a cause is, what usually brings it about,
// what both ends notice, what to check next, how it is known and what looks
// alike.
type Explanation struct {
	// Title names the cause in a few words.
	Title string
	// Summary is one sentence of at most 120 bytes.
	Summary string
	// Sections are the same for every cause, in the same order.
	Sections []Section
}

// Section is one part of an Explanation. Text is Markdown: paragraphs, lists,
// `code` and fenced blocks of shell commands.
type Section struct {
	Heading string
	Text    string
}

// Explain returns the text for c; the zero Explanation for a cause that is not
// one of this version.
func Explain(c Cause) Explanation {
	text, err := explanations.ReadFile("explain/" + c.String() + ".md")
	if err != nil {
		return Explanation{}
	}
	head, rest, _ := strings.Cut(string(text), "\n## ")
	title, summary, _ := strings.Cut(head, "\n")
	e := Explanation{
		Title:   strings.TrimPrefix(title, "# "),
		Summary: strings.Join(strings.Fields(summary), " "),
	}
	for part := range strings.SplitSeq(rest, "\n## ") {
		heading, body, _ := strings.Cut(part, "\n")
		e.Sections = append(e.Sections, Section{heading, strings.TrimSpace(body)})
	}
	return e
}

// Markdown returns the whole text.
func (e Explanation) Markdown() string {
	if e.Title == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("# " + e.Title + "\n\n" + e.Summary + "\n")
	for _, s := range e.Sections {
		b.WriteString("\n## " + s.Heading + "\n\n" + s.Text + "\n")
	}
	return b.String()
}

// Causes returns every cause, [CauseUnknown] last: for listings.
func Causes() []Cause {
	var all []Cause
	for c := CauseUnknown + 1; int(c) < len(causeNames); c++ {
		all = append(all, c)
	}
	return append(all, CauseUnknown)
}
