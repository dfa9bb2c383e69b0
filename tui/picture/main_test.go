package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// text is one element of a picture.
type text struct {
	X       float64 `xml:"x,attr"`
	Y       int     `xml:"y,attr"`
	Fill    string  `xml:"fill,attr"`
	Weight  string  `xml:"font-weight,attr"`
	Content string  `xml:",chardata"`
}

func texts(t *testing.T, svg string) []text {
	t.Helper()
	var all []text
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("the picture is not XML: %v\n%s", err, svg)
		}
		if start, is := token.(xml.StartElement); is && start.Name.Local == "text" {
			var e text
			if err := decoder.DecodeElement(&e, &start); err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
		}
	}
}

func TestDraw(t *testing.T) {
	var b strings.Builder
	draw(&b, "a <b>\x1b[1;31m✗ red\x1b[m &\n\x1b[7mbar\x1b[m日本x\n", 20, 3, &dark)
	got := texts(t, b.String())
	want := []text{
		{X: 12, Y: 25, Fill: dark.foreground, Content: "a <b>"},
		{X: 12 + 5*cellWidth, Y: 25, Fill: dark.colours[1], Weight: "bold", Content: "✗ red"},
		{X: 12 + 10*cellWidth, Y: 25, Fill: dark.foreground, Content: " &"},
		{X: 12, Y: 43, Fill: dark.background, Content: "bar"},
		{X: 12 + 3*cellWidth, Y: 43, Fill: dark.foreground, Content: "日本x"},
	}
	if len(got) != len(want) {
		t.Fatalf("%d texts, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if d := got[i].X - want[i].X; d > 0.06 || d < -0.06 {
			t.Errorf("text %d begins at %v, want %v", i, got[i].X, want[i].X)
		}
		if got[i].X = want[i].X; got[i] != want[i] {
			t.Errorf("text %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if bar := `<rect x="12.0" y="30" width="25.2" height="18" fill="` + dark.foreground + `"/>`; !strings.Contains(b.String(), bar) {
		t.Errorf("the bar in reverse video is not drawn: %s", b.String())
	}
}
