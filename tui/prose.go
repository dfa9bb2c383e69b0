package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"
)

// Prose lays blocks of an explanation out in lines of at most width columns. Commands are
// indented, and not broken: so that they can be copied.
func Prose(blocks []model.Block, width int) (lines []string) {
	for i, b := range blocks {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, filled("", b.Paragraph, width)...)
		for _, item := range b.Items {
			lines = append(lines, filled("- ", item, width)...)
		}
		for line := range strings.Lines(b.Code) {
			lines = append(lines, "    "+strings.TrimRight(line, "\n"))
		}
	}
	return lines
}

// filled fills lines with text. The first begins with mark, those after it with as
// many blanks.
func filled(mark, text string, width int) (lines []string) {
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(ansi.Wrap(text, max(width-len(mark), 8), ""), "\n") {
		lines = append(lines, mark+strings.TrimRight(part, " "))
		mark = blanks(len(mark))
	}
	return lines
}

// explained writes what the cause means.
func (s *story) explained() {
	e := &s.explain
	if e.Title == "" {
		s.line("  not explained in this version")
		return
	}
	s.prose(e.Title+": "+e.Summary, nil)
	for i := range e.Sections {
		s.line("")
		s.prose(s.pal.strong.Styled(e.Sections[i].Heading), e.Sections[i].Blocks())
	}
}

// prose writes a line and what follows it.
func (s *story) prose(first string, blocks []model.Block) {
	width := max(s.width-2, 8)
	for _, text := range append(filled("", first, width), Prose(blocks, width)...) {
		for part := range strings.SplitSeq(ansi.Wrap(text, width, ""), "\n") { // a command may be longer
			s.line(strings.TrimRight("  "+part, " "))
		}
	}
}
