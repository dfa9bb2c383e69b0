// Picture draws what a terminal shows as an SVG image.
//
//	tmux capture-pane -e -p | go run ./tui/picture -size 120x36 >docs/img/stream.svg
//
// The input is text with escape sequences. It is read by a terminal emulator,
// so that colours, reverse video and wide characters come out as a terminal
// shows them.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"html"
	"image/color"
	"io"
	"log"
	"os"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// The size of a cell, in pixels of the image.
const (
	cellWidth  = 8.4
	cellHeight = 18
	fontSize   = 14
	margin     = 12
)

// theme holds the 16 ANSI colours and the default ones.
type theme struct {
	colours                [16]string
	foreground, background string
}

var (
	dark = theme{[...]string{
		"#24292e", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#d2a8ff", "#39c5cf", "#b1bac4",
		"#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#e2c5ff", "#56d4dd", "#ffffff",
	}, "#d0d7de", "#0d1117"}
	light = theme{[...]string{
		"#24292f", "#cf222e", "#116329", "#7d4e00", "#0969da", "#8250df", "#1b7c83", "#6e7781",
		"#57606a", "#a40e26", "#1a7f37", "#633c01", "#218bff", "#a475f9", "#3192aa", "#8c959f",
	}, "#24292f", "#ffffff"}
)

func main() {
	log.SetFlags(0)
	var width, height int
	bright := flag.Bool("light", false, "on a light ground")
	size := flag.String("size", "80x24", "columns and lines of the terminal")
	flag.Parse()
	if _, err := fmt.Sscanf(*size, "%dx%d", &width, &height); err != nil || width < 1 || height < 1 {
		log.Fatalf("picture: size %q is not like 80x24", *size)
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatalf("picture: read: %v", err)
	}
	out := bufio.NewWriter(os.Stdout)
	colours := &dark
	if *bright {
		colours = &light
	}
	draw(out, string(input), width, height, colours)
	if err := out.Flush(); err != nil {
		log.Fatalf("picture: write: %v", err)
	}
}

// draw writes the image of a terminal of the given size that got content.
func draw(w io.Writer, content string, width, height int, th *theme) {
	e := vt.NewEmulator(width, height)
	content = strings.TrimRight(content, "\n")
	_, _ = e.WriteString(strings.ReplaceAll(content, "\n", "\r\n"))
	imageWidth, imageHeight := float64(width)*cellWidth+2*margin, height*cellHeight+2*margin
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" `+
		`font-family="ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="%d">`+"\n",
		imageWidth, imageHeight, imageWidth, imageHeight, fontSize)
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", th.background)
	for y := range height {
		for x := 0; x < width; {
			x = drawRun(w, e, x, y, th)
		}
	}
	fmt.Fprintln(w, "</svg>")
}

// style is what cells of one run have in common.
type style struct {
	fill, ground                    string
	bold, faint, italic, underlined bool
}

// drawRun draws the cells from x that have the same style, and returns the
// column after them.
func drawRun(w io.Writer, e *vt.Emulator, x, y int, th *theme) int {
	var text bytes.Buffer
	first, end := styleOf(e, x, y, th), x
	for end < e.Width() && styleOf(e, end, y, th) == first {
		c := e.CellAt(end, y)
		step := 1
		if c != nil {
			text.WriteString(c.Content)
			step = max(c.Width, 1)
		} else {
			text.WriteByte(' ')
		}
		end += step
	}
	left, top := margin+float64(x)*cellWidth, margin+y*cellHeight
	long := float64(end-x) * cellWidth
	if first.ground != th.background {
		fmt.Fprintf(w, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, top, long, cellHeight, first.ground)
	}
	visible := strings.TrimRight(text.String(), " ")
	if visible == "" {
		return end
	}
	long -= float64(text.Len()-len(visible)) * cellWidth
	fmt.Fprintf(w, `<text x="%.1f" y="%d" textLength="%.1f" xml:space="preserve" fill="%s"%s>%s</text>`+"\n",
		left, top+fontSize-1, long, first.fill, first.attributes(), html.EscapeString(visible))
	return end
}

func (s style) attributes() string {
	text := ""
	if s.bold {
		text += ` font-weight="bold"`
	}
	if s.faint {
		text += ` fill-opacity="0.6"`
	}
	if s.italic {
		text += ` font-style="italic"`
	}
	if s.underlined {
		text += ` text-decoration="underline"`
	}
	return text
}

// The bits of a cell's attributes, in the order of SGR 1 to 9.
const (
	bold = 1 << iota
	faint
	italic
	_
	_
	reverse
)

func styleOf(e *vt.Emulator, x, y int, th *theme) style {
	c := e.CellAt(x, y)
	if c == nil {
		return style{fill: th.foreground, ground: th.background}
	}
	a := c.Style.Attrs
	s := style{
		fill: th.colour(c.Style.Fg, th.foreground), ground: th.colour(c.Style.Bg, th.background),
		bold: a&bold != 0, faint: a&faint != 0, italic: a&italic != 0, underlined: c.Style.Underline != 0,
	}
	if a&reverse != 0 {
		s.fill, s.ground = s.ground, s.fill
	}
	return s
}

func (t *theme) colour(c color.Color, normal string) string {
	switch c := c.(type) {
	case nil:
		return normal
	case ansi.BasicColor:
		return t.colours[c%16]
	case ansi.IndexedColor:
		if c < 16 {
			return t.colours[c]
		}
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
