package model

import (
	"embed"
	"slices"
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
		Summary: oneLine(summary),
	}
	for part := range strings.SplitSeq(rest, "\n## ") {
		heading, body, _ := strings.Cut(part, "\n")
		e.Sections = append(e.Sections, Section{heading, strings.TrimSpace(body)})
	}
	return e
}

// Block is a paragraph, a list or lines of commands: one of the three is set.
type Block struct {
	Paragraph string
	Items     []string
	Code      string
}

// Blocks returns the parts of the text, those of running text in one line each.
func (s *Section) Blocks() (list []Block) {
	for part := range strings.SplitSeq(s.Text, "\n\n") {
		part = strings.TrimSpace(part)
		switch {
		case part == "":
		case strings.HasPrefix(part, "```"):
			_, code, _ := strings.Cut(part, "\n")
			list = append(list, Block{Code: strings.TrimSpace(strings.TrimSuffix(code, "```"))})
		case strings.HasPrefix(part, "- "):
			var items []string
			for item := range strings.SplitSeq(part[2:], "\n- ") {
				items = append(items, oneLine(item))
			}
			list = append(list, Block{Items: items})
		default:
			list = append(list, Block{Paragraph: oneLine(part)})
		}
	}
	return list
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Causes returns every cause, [CauseUnknown] last: for listings.
func Causes() []Cause {
	var all []Cause
	for c := CauseUnknown + 1; int(c) < len(causeNames); c++ {
		all = append(all, c)
	}
	return append(all, CauseUnknown)
}

// Verdicts returns the verdicts that rules give with v.
func (v Cause) Verdicts() (list []Verdict) {
	if v == CauseUnknown {
		list = append(list, VerdictUnknown)
	}
	for _, r := range Rules() {
		if r.Cause == v && !slices.Contains(list, r.Verdict) {
			list = append(list, r.Verdict)
		}
	}
	return list
}
