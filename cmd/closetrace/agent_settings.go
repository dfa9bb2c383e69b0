package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// settings is where the agent's flags come from: the command line, then variables, then a
// file, which are read again on SIGHUP. The flags are the file's schema.
type settings struct {
	given   map[string]bool // on the command line
	base    agentFlags      // what the command line says
	current *agentFlags
	environ func(string) (string, bool)
}

func newSettings(set *pflag.FlagSet, flags *agentFlags) *settings {
	s := &settings{given: map[string]bool{}, base: *flags, environ: os.LookupEnv}
	set.Visit(func(f *pflag.Flag) { s.given[f.Name] = true })
	return s
}

// maxSettings bounds the bytes of the file: the time for its keys grows with their square.
const maxSettings = 64 << 10

// read returns the current settings.
func (s *settings) read() (*agentFlags, error) {
	flags := &agentFlags{}
	set := pflag.NewFlagSet("agent", pflag.ContinueOnError)
	flags.flags(set)
	*flags = s.base // the set points into it
	if flags.config == "" {
		flags.config, _ = s.environ(variable("config"))
	}
	values, err := readSettingsFile(flags.config, set)
	if err != nil {
		return nil, err
	}
	set.VisitAll(func(f *pflag.Flag) {
		if text, ok := s.environ(variable(f.Name)); ok {
			values[f.Name] = text
		}
	})
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if s.given[name] {
			continue
		}
		if err := set.Set(name, values[name]); err != nil {
			return nil, usage("%s (file or %s): %w", name, variable(name), err)
		}
	}
	if err := flags.check(); err != nil {
		return nil, err
	}
	s.current = flags
	return flags, nil
}

func variable(flag string) string {
	return "CLOSETRACE_AGENT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// readSettingsFile reads --config: a mapping of flag names to values.
func readSettingsFile(path string, set *pflag.FlagSet) (map[string]string, error) {
	values := map[string]string{}
	if path == "" {
		return values, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var nodes map[string]yaml.Node
	in := yaml.NewDecoder(io.LimitReader(f, maxSettings))
	if err := in.Decode(&nodes); err != nil && !errors.Is(err, io.EOF) {
		return nil, usage("%s: want a list of NAME: VALUE: %w", path, err)
	}
	if err := in.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, usage("%s: want one document of at most 64 KiB", path)
	}
	for name, node := range nodes {
		if set.Lookup(name) == nil {
			return nil, usage("%s:%d: no setting %q; closetrace agent --help lists them", path, node.Line, name)
		}
		if values[name], err = textOf(&node); err != nil {
			return nil, usage("%s:%d: %s: %w", path, node.Line, name, err)
		}
	}
	return values, nil
}

var errValue = errors.New("want a value or a list of values")

// textOf returns a value as it would be on the command line.
func textOf(n *yaml.Node) (string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return n.Value, nil
	case n.Kind == yaml.SequenceNode:
		var list []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" || strings.ContainsAny(item.Value, ",\"\n") {
				return "", errValue
			}
			list = append(list, item.Value)
		}
		return strings.Join(list, ","), nil
	}
	return "", errValue
}

// unchangeable names the settings of f that differ from those the agent runs with and
// need a restart.
func (f *agentFlags) unchangeable(running *agentFlags) string {
	was, now := *running, *f
	for _, x := range []*agentFlags{&was, &now} {
		x.choice, x.all, x.rate = choice{}, false, 0
	}
	if fmt.Sprint(was) == fmt.Sprint(now) {
		return ""
	}
	return "; some changes need a restart"
}
