package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/agent"
	"github.com/closetrace/closetrace/internal/cluster"
	"github.com/closetrace/closetrace/internal/sandbox"
	"github.com/closetrace/closetrace/internal/sockets"
)

const agentHelp = `Trace without a screen, for a fleet: metrics for Prometheus, and the abnormal ends
and findings as OpenTelemetry log records for a Collector. docs/agent.md has the
names, and deploy/ a systemd unit, Kubernetes manifests, dashboards and alerts.

Every flag can also be in the file --config (YAML, the flag's name as key) and in a
variable CLOSETRACE_AGENT_NAME, with _ for each -; the command line wins, then the
variable. Settings of the Collector are also taken from the OTEL_EXPORTER_OTLP_*
variables. SIGHUP reads the file again: filters, all and max-rate change while tracing
goes on; other changes need a restart.

A Collector that is down stops nothing: records wait in memory, then in --spool, and
what has no room is counted as lost.

Examples:
  sudo closetrace agent                                         metrics on 127.0.0.1:9469
  sudo closetrace agent --otlp-endpoint http://collector:4318   and records to a Collector
  sudo closetrace agent --config /etc/closetrace/agent.yaml`

const metricsAddress = "127.0.0.1:9469"

type agentFlags struct {
	traceFlags
	config    string
	endpoint  string
	listen    string
	all       bool
	k8sAPI    bool
	rate      float64
	spool     string
	spoolSize size
	maxSeries int
	maxMemory size
	maxCPU    float64
}

func newAgent(a *app) *cobra.Command {
	var flags agentFlags
	c := &cobra.Command{
		Use:   "agent [flags]",
		Short: "Run as a service: metrics for Prometheus, records for an OpenTelemetry Collector",
		Long:  agentHelp,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.agent(c.Context(), newSettings(c.Flags(), &flags))
		},
	}
	flags.flags(c.Flags())
	c.Flags().StringVar(&flags.config, "config", "", "YAML `FILE` with more flags")
	return c
}

// flags adds what may also be in the file and in the environment.
func (f *agentFlags) flags(set *pflag.FlagSet) {
	f.traceFlags.flags(set)
	if user := set.Lookup("user"); user != nil { // only on Linux
		user.Usage = "once attached become this `USER` (default the user that started it)"
	}
	set.StringVar(&f.endpoint, "otlp-endpoint", "", "`URL` of a Collector: http://HOST:4318, grpc://HOST:4317, or https and grpcs (default from OTEL_EXPORTER_OTLP_ENDPOINT, or none)")
	set.StringVar(&f.listen, "metrics-listen", metricsAddress, "`ADDRESS` for Prometheus to scrape, or a port of 127.0.0.1; \"\" is none")
	set.BoolVar(&f.all, "all", false, "send healthy ends too, not only abnormal ones and findings")
	set.BoolVar(&f.k8sAPI, "k8s-api", false, "in a pod: ask the Kubernetes API for the names of peers that are pods of other nodes, or services (list and watch)")
	set.Float64Var(&f.rate, "max-rate", 1000, "send at most this `NUMBER` of records a second, ten times as many at once; 0 is no limit")
	set.StringVar(&f.spool, "spool", "", "`DIRECTORY` for records while the Collector is away (default under systemd: its state directory)")
	f.spoolSize = 256 << 20
	set.Var(&f.spoolSize, "spool-size", "at most this `SIZE` there; then the oldest are dropped")
	set.Var(natural(&f.maxSeries, 2000), "max-series", "at most this `NUMBER` of series of ends; the rest is \"other\"")
	set.Var(&f.maxMemory, "max-memory", "shed detail above this `SIZE` of memory, e.g. 80MB")
	set.Float64Var(&f.maxCPU, "max-cpu", 0, "shed detail above this `PERCENT` of one processor, e.g. 8")
}

// check completes the flags and refuses impossible ones.
func (f *agentFlags) check() error {
	if port, err := strconv.ParseUint(f.listen, 10, 16); err == nil {
		f.listen = net.JoinHostPort("127.0.0.1", strconv.FormatUint(port, 10))
	}
	if f.spool == "" && agent.Exports(f.endpoint) {
		if state, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); state != "" {
			f.spool = filepath.Join(state, "spool") // the directory itself may be a link
		}
	}
	switch {
	case f.listen == "" && !agent.Exports(f.endpoint):
		return usage("agent: nothing to do: give --metrics-listen or --otlp-endpoint")
	case !(f.rate <= 1e9) || !(f.maxCPU <= 1e9): // not a number compares false
		return usage("agent: --max-rate and --max-cpu: want at most a billion; 0 is no limit")
	case f.rate < 0 || f.maxCPU < 0 || f.maxSeries < 1:
		return usage("agent: --max-rate, --max-cpu and --max-series must not be negative, and --max-series at least 1")
	case f.spoolSize < 1<<20:
		return usage("agent: --spool-size: want at least 1 MiB")
	}
	if _, _, err := net.SplitHostPort(f.listen); f.listen != "" && err != nil {
		return usage("agent: --metrics-listen %s: want a port, or HOST:PORT", f.listen)
	}
	if err := agent.CheckEndpoint(f.endpoint); err != nil {
		return usage("agent: %w", err)
	}
	return nil
}

func (a *app) agent(ctx context.Context, s *settings) error {
	flags, err := s.read()
	if err != nil {
		return err
	}
	filter, err := flags.compile()
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(traceGC)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit(int64(flags.maxMemory)))
	}
	whole := flags.traceFlags
	whole.counting, whole.countingOptional = true, true
	whole.choice = choice{} // SIGHUP may change it, and the kernel's choice can't be changed
	if err := flags.confine(&whole); err != nil {
		return err
	}
	names, err := flags.names(&whole, a.note)
	if err != nil {
		return err
	}
	manager := agent.OpenManager()
	defer manager.Close()
	t, err := whole.open()
	if err != nil {
		return err
	}
	defer t.Close()
	t.Refilter(filter)
	if err := t.sendOrdinary(flags.all); err != nil {
		return err
	}
	if names != nil {
		names.Start(ctx)
		defer names.Close()
	}
	running, err := agent.New(ctx, agent.Options{
		Start: t.Start(), Endpoint: flags.endpoint, MetricsListen: flags.listen, Spool: flags.spool, SpoolSize: int64(flags.spoolSize),
		MaxSeries: flags.maxSeries, MaxMemory: int64(flags.maxMemory), MaxCPU: flags.maxCPU / 100, Choice: flags.sending(),
		Sockets: sockets.Each, Names: names, BPFTime: whole.meter.programs, Log: a.note, Manager: manager,
	})
	if err != nil {
		return err
	}
	t.Hangup = func() bool {
		manager.Reloading()
		defer manager.Ready()
		a.reload(s, t, running)
		return true
	}
	if address := running.MetricsAddress(); address != "" {
		a.note("metrics are on http://%s/metrics", address)
	}
	manager.Ready()
	err = running.Run(t.Records(ctx))
	manager.Stopping()
	return errors.Join(err, running.Close())
}

// confine says what the sandbox of a service leaves: sockets, the folder of its
// configuration file, its spool. The service keeps its user, who owns the spool.
func (f *agentFlags) confine(t *traceFlags) error {
	t.sandbox.Network = true
	if t.sandbox.User == "" && os.Geteuid() == 0 {
		t.sandbox.User = "root"
	}
	if f.config != "" {
		t.sandbox.Read = append(t.sandbox.Read, filepath.Dir(f.config))
	}
	if f.spool != "" {
		owner := os.Geteuid()
		if t.sandbox.User != "" {
			who, err := sandbox.Lookup(t.sandbox.User)
			if err != nil {
				return err
			}
			owner = who.UID
		}
		if err := agent.MakeSpool(f.spool, owner); err != nil {
			return err
		}
		t.sandbox.Write = append(t.sandbox.Write, f.spool)
	}
	return nil
}

// softLimit is where the garbage collector works harder, before anything is shed: Go does
// not count all of the memory that is the process's own. Without --max-memory, most is 0,
// it is one that an agent needs only under a storm of ends.
func softLimit(most int64) int64 {
	const usual, notCounted = 75_000_000, 15_000_000
	if most == 0 {
		most = usual
	}
	return max(most-notCounted, most/2)
}

// names is for ends whose peers only the cluster knows; nil if it is not to be asked.
func (f *agentFlags) names(t *traceFlags, log func(string, ...any)) (*cluster.Names, error) {
	if !f.k8sAPI {
		return nil, nil
	}
	names, err := cluster.New(cluster.Account, log)
	if err != nil {
		return nil, usage("--k8s-api: %w", err)
	}
	t.sandbox.Read = append(t.sandbox.Read, cluster.Account) // the token is renewed
	return names, nil
}

// reload reads the settings again; if they are wrong, nothing changes.
func (a *app) reload(s *settings, t *trace, running *agent.Agent) {
	old := s.current
	flags, err := s.read()
	if err == nil {
		filter, err2 := flags.compile()
		if err = err2; err == nil {
			err = t.sendOrdinary(flags.all)
		}
		if err == nil {
			t.Refilter(filter)
			running.Choose(flags.sending())
			a.note("reloaded%s", flags.unchangeable(old))
			return
		}
	}
	s.current = old
	a.note("not reloaded, and tracing goes on as before: %s", message(err))
}

// note writes a line for the log of the service.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.stderr, "closetrace: %s\n", message(fmt.Errorf(format, args...)))
}

func (f *agentFlags) sending() agent.Choice { return agent.Choice{All: f.all, Rate: f.rate} }
