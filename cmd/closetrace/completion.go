package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/model"
)

// completeFlags gives the shell the values of the flags that have a fixed choice,
// for all commands below c.
func completeFlags(c *cobra.Command) {
	values := map[string][]string{
		"verdict": names(model.Verdicts()),
		"cause":   names(model.Causes()),
		"state":   names(model.States()),
		"backend": backends,
		"format":  formats,
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if _, done := c.GetFlagCompletionFunc(f.Name); done || values[f.Name] == nil {
			return // the root command has flags of live
		}
		_ = c.RegisterFlagCompletionFunc(f.Name, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return completeList(f, values[f.Name], typed), cobra.ShellCompDirectiveNoFileComp
		})
	})
	for _, below := range c.Commands() {
		completeFlags(below)
	}
}

// completeList completes what follows the last comma, where a flag takes a list.
func completeList(f *pflag.Flag, values []string, typed string) []string {
	if _, list := f.Value.(pflag.SliceValue); !list {
		return values
	}
	before := typed[:strings.LastIndex(typed, ",")+1]
	all := make([]string, len(values))
	for i, value := range values {
		all[i] = before + value
	}
	return all
}

func names[T fmt.Stringer](all []T) []string {
	list := make([]string, len(all))
	for i, v := range all {
		list[i] = v.String()
	}
	return list
}
