package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"github.com/closetrace/closetrace/model"
)

// scene is a state of the screen, at every size and in every palette it is
// looked at. `go test -update` draws the files anew; look at the difference.
type scene struct {
	name   string
	feed   []model.Record
	change func(*Config)
	play   func(*rig)
}

func demoFeed() []model.Record { return feed(400, at, 350*time.Millisecond) }

// floodFeed is an hour of 20,000 ends a second in two seconds' worth of records.
func floodFeed() []model.Record { return feed(40_000, at, 50*time.Microsecond) }

func scenes() []scene {
	none := func(*rig) {}
	return []scene{
		{"empty", nil, nil, none},
		{"stream", demoFeed(), nil, none},
		{"flood", floodFeed(), nil, none},
		{"loss", append(demoFeed(), lossRecord(at, 1234)), nil, none},
		{"filter", demoFeed(), func(c *Config) { c.Filter = "tcp.bytes.unread > 2000" }, func(r *rig) {
			r.press("/")
			r.typed("nginx")
			r.press("enter")
		}},
		{"wrong-filter", demoFeed(), nil, func(r *rig) {
			r.press("f")
			r.typed("tcp.bytes.unraed > 1")
			r.press("enter")
		}},
		{"paused", demoFeed(), nil, func(r *rig) {
			r.press("space")
			r.add(feed(1234, r.time.Add(time.Second), time.Millisecond)...)
			r.tick(time.Second)
		}},
		{"recording", demoFeed(), func(c *Config) { c.Record = (&disk{}).create }, func(r *rig) {
			r.press("R")
			r.run(r.press("enter"))
			r.add(feed(50, r.time, time.Millisecond)...)
			r.tick(fastStream)
		}},
		{"detail", demoFeed(), nil, func(r *rig) {
			r.press("{", "enter")
		}},
		{"detail-linger", demoFeed(), nil, func(r *rig) {
			r.press("/")
			r.typed("linger-expired")
			r.press("enter", "enter")
		}},
		{"causes", demoFeed(), nil, func(r *rig) { r.press("3") }},
		{"processes", demoFeed(), nil, func(r *rig) { r.press("4", "s") }},
		{"pids", demoFeed(), nil, func(r *rig) { r.press("4", "x") }},
		{"peers", demoFeed(), nil, func(r *rig) { r.press("5", "t") }},
		{"pairs", demoFeed(), nil, func(r *rig) { r.press("7") }},
		{"networks", demoFeed(), nil, func(r *rig) { r.press("5", "x") }},
		{"open", demoFeed(), func(c *Config) {
			c.Open = func() ([]OpenConn, error) { return someOpen(), nil }
			c.End = func(OpenConn) (string, error) { return "", nil }
		}, func(r *rig) {
			r.press("6")
			r.send(connsMsg{conns: someOpen()})
			r.press("x")
		}},
		{"findings", demoFeed(), withFindings, func(r *rig) { r.press("1") }},
		{"finding", demoFeed(), withFindings, func(r *rig) { r.press("1", "enter") }},
		{"help", demoFeed(), nil, func(r *rig) { r.press("?") }},
		{"replay", demoFeed(), func(c *Config) { c.Replay = &Replay{Name: "night.jsonl.zst"} }, func(r *rig) {
			r.in.end(nil)
			r.tick(100 * time.Millisecond)
			r.press("{", "[")
		}},
	}
}

var goldenSizes = [][2]int{{80, 24}, {120, 40}, {200, 60}, {60, 12}}

func TestScreens(t *testing.T) {
	for _, scene := range scenes() {
		for _, size := range goldenSizes {
			t.Run(fmt.Sprintf("%s/%dx%d", scene.name, size[0], size[1]), func(t *testing.T) {
				r := newRig(t, size[0], size[1], scene.feed, scene.change)
				scene.play(r)
				golden.RequireEqual(t, []byte(r.text()+"\n"))
			})
		}
	}
}

// TestColours shows where each palette puts what style; the text is the same
// in all of them.
func TestColours(t *testing.T) {
	palettes := map[string]func(*Config){
		"dark":     func(c *Config) { c.Background = BackgroundDark },
		"light":    func(c *Config) { c.Background = BackgroundLight },
		"no-color": func(c *Config) { c.NoColor = true },
	}
	for _, scene := range scenes() {
		switch scene.name {
		case "stream", "loss", "filter", "paused", "detail", "causes":
		default:
			continue
		}
		text := ""
		for name, palette := range palettes {
			t.Run(scene.name+"/"+name, func(t *testing.T) {
				r := newRig(t, 80, 24, scene.feed, func(c *Config) {
					if scene.change != nil {
						scene.change(c)
					}
					palette(c)
				})
				scene.play(r)
				e := r.emulator()
				if now := r.text(); text != "" && now != text {
					t.Errorf("the palette changes the text:\n%s\nwant\n%s", now, text)
				} else {
					text = now
				}
				styles := strings.Join(gridStyles(e), "\n")
				if name == "no-color" && strings.ContainsAny(styles, "") {
					for _, colour := range []string{"red", "green", "magenta", "cyan", "blue", "yellow", "on "} {
						if strings.Contains(styles, colour) {
							t.Errorf("NO_COLOR, and %s is used", colour)
						}
					}
				}
				golden.RequireEqual(t, []byte(styles+"\n"))
			})
		}
	}
}

// disk is where tests record to.
type disk struct {
	records []model.Record
	closed  int
	fails   error
	path    string
}

func (d *disk) create(path string) (Recorder, error) {
	d.path = path
	return d, nil
}

func (d *disk) Write(r *model.Record) error {
	if d.fails != nil {
		return d.fails
	}
	d.records = append(d.records, *r)
	return nil
}

func (d *disk) Close() error {
	d.closed++
	return nil
}
