package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/model"
)

// newHelp is "closetrace help COMMAND", which many type for COMMAND --help.
func newHelp(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND]",
		Short:  "Say how a command is used",
		Hidden: true,
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noArgs(c.Root(), args)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// noArgs refuses arguments of a command that takes none, and says what may have been
// meant.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if meant := meantBy(c, args); meant != "" {
		return usage("unknown command or argument %q: did you mean %s?", args[0], meant)
	}
	return usage("unknown command or argument %q; see %s --help", args[0], c.CommandPath())
}

// meantBy guesses the command line that the user meant by args.
func meantBy(c *cobra.Command, args []string) string {
	word := strings.ToLower(args[0])
	if !c.HasParent() {
		c.SuggestionsMinimumDistance = 2
		if like := c.SuggestionsFor(word); len(like) > 0 {
			return c.Name() + " " + like[0]
		}
	}
	line := c.CommandPath() + " "
	if flag := c.Flags().Lookup(word); flag != nil {
		if flag.NoOptDefVal == "" && len(args) > 1 {
			return line + "--" + word + " " + args[1]
		}
		return line + "--" + word
	}
	if name := flagFor(word); name != "" && c.Flags().Lookup(name) != nil {
		return line + "--" + name + " " + args[0]
	}
	if c.Flags().Lookup("rotate-size") != nil && len(args) == 1 {
		return line + "-o " + args[0]
	}
	if _, err := exec.LookPath(args[0]); err == nil && strings.Contains(c.Use, "[-- COMMAND...]") {
		return line + "-- " + strings.Join(args, " ")
	}
	return ""
}

// flagFor returns the flag that takes such a value, or "".
func flagFor(word string) string {
	var (
		verdict model.Verdict
		cause   model.Cause
	)
	_, number := strconv.ParseUint(word, 10, 16)
	_, address := netip.ParseAddr(word)
	_, network := netip.ParsePrefix(word)
	switch {
	case number == nil:
		return "port"
	case address == nil, network == nil:
		return "peer"
	case verdict.UnmarshalText([]byte(word)) == nil:
		return "verdict"
	case cause.UnmarshalText([]byte(word)) == nil:
		return "cause"
	default:
		return ""
	}
}

// wrongFlag says what is wrong with a flag in one line.
func wrongFlag(c *cobra.Command, err error) error {
	var (
		value   *pflag.InvalidValueError
		unknown *pflag.NotExistError
	)
	switch {
	case errors.As(err, &value):
		err = fmt.Errorf("--%s %q: %s", value.GetFlag().Name, value.GetValue(), wanted(value))
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		if like := likeFlags(c, unknown.GetSpecifiedName()); len(like) > 0 {
			return usage("%w: did you mean --%s?", err, strings.Join(like, " or --"))
		}
	}
	return usage("%w; see %s --help", err, c.CommandPath())
}

// wanted says which values a flag takes.
func wanted(e *pflag.InvalidValueError) string {
	switch e.GetFlag().Value.Type() {
	case "uint16":
		return "want a number up to 65535"
	case "uint32", "uint64", "number":
		return "want a number from 0 on"
	case "duration":
		return "want a time with its unit, such as 30s or 10m"
	default:
		return e.Unwrap().Error()
	}
}

// likeFlags returns flags with a name like that, as commands are suggested.
func likeFlags(c *cobra.Command, name string) []string {
	names := &cobra.Command{SuggestionsMinimumDistance: 2}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return names.SuggestionsFor(name)
}

// createError says what to do if the output is there already, or its folder is not.
func createError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s exists; choose another name, or --force to overwrite it", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot write %s: there is no folder %s", path, filepath.Dir(path))
	}
	return err
}

// notItself refuses to overwrite what is read.
func notItself(output string, inputs ...string) error {
	to, err := os.Stat(output)
	if err != nil || !to.Mode().IsRegular() {
		return nil
	}
	for _, path := range inputs {
		if from, err := os.Stat(path); err == nil && os.SameFile(from, to) {
			return usage("%s is what is read, and --force would overwrite it; choose another name", output)
		}
	}
	return nil
}
