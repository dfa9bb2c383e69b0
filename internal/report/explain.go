package report

import (
	"html/template"
	"strings"

	"github.com/closetrace/closetrace/internal/summary"
	"github.com/closetrace/closetrace/model"
)

// meanings are the verdicts in words, as docs/record.md has them.
func meanings() []field {
	return []field{
		{"graceful", "Both directions ended by FIN."},
		{"abortive", "Ended by a reset (RST), a time-out or by force; data may be lost."},
		{"linger-timeout", "close() waited as SO_LINGER asks, and the time ran out. Windows then resets the connection; Linux goes on sending in the background."},
		{"failed-open", "The connection was never established: refused, timed out, cancelled or unreachable."},
		{"silent", "Ended without FIN or RST on the wire and not by a time-out."},
		{"unknown", "No rule held for what was seen; the facts are in the recording."},
	}
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
			x.Sections = append(x.Sections, section{part.Heading, blocks(part.Text)})
		}
		list = append(list, x)
	}
	return list
}

// blocks reads the Markdown of an explanation: paragraphs, lists and fenced
// commands. The texts are part of the program, not of a recording.
func blocks(text string) (list []block) {
	for part := range strings.SplitSeq(text, "\n\n") {
		part = strings.TrimSpace(part)
		switch {
		case part == "":
		case strings.HasPrefix(part, "```"):
			_, code, _ := strings.Cut(part, "\n")
			list = append(list, block{Code: strings.TrimSuffix(strings.TrimSpace(code), "```")})
		case strings.HasPrefix(part, "- "), strings.HasPrefix(part, "* "):
			list = append(list, block{Items: items(part)})
		default:
			list = append(list, block{Paragraph: inline(part)})
		}
	}
	return list
}

// items are the entries of a list; lines that are indented go on.
func items(text string) (list []template.HTML) {
	var current string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "* ") {
			if current != "" {
				list = append(list, inline(current))
			}
			current = line[2:]
		} else {
			current += " " + strings.TrimSpace(line)
		}
	}
	return append(list, inline(current))
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
	return template.HTML(b.String()) //nolint:gosec // escaped above
}
