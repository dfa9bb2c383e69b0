package report

import (
	"html/template"
	"strings"

	"github.com/closetrace/closetrace/internal/summary"
	"github.com/closetrace/closetrace/model"
)

// meanings are the verdicts in words.
func meanings() (list []field) {
	for _, v := range model.Verdicts() {
		list = append(list, field{v.String(), v.Meaning()})
	}
	return list
}

// explanation is what there is to say of a cause.
type explanation struct {
	Name, Value string
	Title       string
	Sections    []section
}

type section struct {
	Heading string
	Blocks  []block
}

// block is a paragraph, a list or lines of commands.
type block struct {
	Paragraph template.HTML
	Items     []template.HTML
	Code      string
}

// explanations are of the causes that occurred.
func explanations(s *summary.Summary) (list []explanation) {
	for _, c := range s.CauseList() {
		e := model.Explain(c.Cause)
		x := explanation{Name: c.Cause.String(), Value: e.Summary, Title: e.Title}
		for _, part := range e.Sections {
			x.Sections = append(x.Sections, section{part.Heading, blocks(&part)})
		}
		list = append(list, x)
	}
	return list
}

// blocks marks a text up. The texts are part of the program, not of a recording.
func blocks(s *model.Section) (list []block) {
	for _, part := range s.Blocks() {
		b := block{Paragraph: inline(part.Paragraph), Code: part.Code}
		for _, item := range part.Items {
			b.Items = append(b.Items, inline(item))
		}
		list = append(list, b)
	}
	return list
}

// inline marks up `code`; everything is escaped.
func inline(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			b.WriteString("<code>" + template.HTMLEscapeString(part) + "</code>")
		} else {
			b.WriteString(template.HTMLEscapeString(part))
		}
	}
	return template.HTML(b.String()) // #nosec G203 -- escaped above
}
