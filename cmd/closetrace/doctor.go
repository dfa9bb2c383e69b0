package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/safetext"
)

const doctorHelp = `Report what works on this host, and which back end live and record choose. On Linux:
kernel, BTF, capabilities, mounts, each program of each back end; on Windows: the
rights, the session, the event providers. Whatever this loads or starts is removed
again.

` + selftestHelp + costHelp

// errSelftest is matched when doctor --selftest found a wrong verdict.
var errSelftest = fmt.Errorf("self-test failed")

// check is one line of doctor.
type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitzero"`
	// Advice says what to do if it is not OK.
	Advice string `json:"advice,omitzero"`
	// Optional: not OK costs precision, but not the trace.
	Optional bool `json:"optional,omitzero"`
}

// diagnosis is what doctor found.
type diagnosis struct {
	Version string  `json:"version"`
	Backend string  `json:"backend,omitzero"` // the chosen one
	Checks  []check `json:"checks"`
}

func newDoctor(a *app) *cobra.Command {
	var asJSON, selftest, cost bool
	var by sourceFlags
	duration := 10 * time.Second
	c := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Report what works on this host",
		Long:  doctorHelp,
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case selftest && cost:
				return usage("--selftest and --cost exclude each other")
			case selftest && asJSON:
				return usage("--selftest can't be shown --json")
			case duration <= 0:
				return usage("--duration must be positive, for example 10s")
			case selftest:
				return a.selftest(c.Context(), by)
			case cost:
				return a.cost(c.Context(), by, duration, asJSON)
			case by.backend != "":
				return usage("--backend is for --selftest and --cost; without them doctor looks at all back ends")
			case c.Flags().Changed("duration"):
				return usage("--duration is for --cost")
			}
			d, err := diagnose(by)
			if err != nil {
				return err
			}
			d.Version = version()
			if err := a.printDiagnosis(&d, asJSON); err != nil {
				return err
			}
			if d.Backend == "" {
				return fmt.Errorf("%w: no back end works here; the lines above say why and what to do", errSource)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().BoolVar(&selftest, "selftest", false, "play connections and check their verdicts")
	c.Flags().BoolVar(&cost, "cost", false, "trace for a while and report what it costs")
	c.Flags().DurationVarP(&duration, "duration", "d", duration, "with --cost: trace for this `TIME`")
	c.Flags().StringVar(&by.backend, "backend", "", "with --selftest or --cost: use this `BACKEND`: "+strings.Join(backends, ", "))
	by.btfFlag(c.Flags())
	return c
}

func (a *app) printDiagnosis(d *diagnosis, asJSON bool) error {
	if asJSON {
		return safetext.WriteJSON(a.stdout, d, "  ")
	}
	for _, c := range d.Checks {
		mark := "ok  "
		switch {
		case !c.OK && c.Optional:
			mark = "-   "
		case !c.OK:
			mark = "FAIL"
		}
		detail := c.Detail
		switch {
		case c.OK || c.Advice == "":
		case detail == "":
			detail = c.Advice
		default:
			detail += ": " + c.Advice
		}
		line := fmt.Sprintf("%s  %-24s %s", mark, c.Name, safetext.Escape(detail))
		if _, err := fmt.Fprintln(a.stdout, line); err != nil {
			return err
		}
	}
	chosen := d.Backend
	if chosen == "" {
		chosen = "none"
	}
	_, err := fmt.Fprintf(a.stdout, "\nback end: %s\n", chosen)
	return err
}
