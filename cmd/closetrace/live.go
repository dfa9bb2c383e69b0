package main

import "github.com/spf13/cobra"

const liveHelp = `Show connection teardowns as they happen.

On a terminal this is a screen; with --plain, in a pipe, or where the terminal
can do nothing but print (TERM=dumb), one line for each connection end:

  TIME  VERDICT  CAUSE  PROCESS  LOCAL -> PEER  BEGAN/ENDED BY  LASTED  ID  NOTES

NOTES are an exit, a signal or another process that closed it, the process at the
other end if that is on this host and what it did, bytes that were not
acknowledged or not read, how long close() blocked, how long the connection had
been idle (from 0.5 s) and half-closed (from 0.1 s).

On narrow terminals a line wraps at column boundaries.

A tilde after the verdict means that it is inferred; record --output keeps the
reason. closetrace explain CAUSE says what a cause means.

With a command after --, or with --pid, only the connections of that process and
its children are shown; the trace stops when it exits and shows how they ended.
Under sudo the command runs as the user who called sudo; --user chooses.

Once the hooks are attached the trace gives up root: it becomes that user, or
one that nothing else runs as, and can write only in the current folder.
--no-sandbox keeps root.`

type liveFlags struct {
	traceFlags
	screenFlags
}

func newLive(a *app) *cobra.Command {
	var flags liveFlags
	c := &cobra.Command{
		Use:   "live [flags] [-- COMMAND...]",
		Short: "Show teardowns as they happen (the default)",
		Long:  liveHelp,
		RunE: func(c *cobra.Command, args []string) error {
			f, err := a.follow(c, args, &flags.traceFlags, a.commandOutput(flags.plain))
			if err != nil {
				return err
			}
			defer f.close()
			defer f.tell(a.stderr)
			flags.warnUnboxed(a.stderr)
			flags.warnAbsent(a.stderr)
			open, err := a.openView(&flags.traceFlags, flags.screenFlags)
			if err != nil {
				return err
			}
			defer open.close()
			t, err := flags.open()
			if err != nil {
				return err
			}
			defer t.Close()
			defer t.tell(a.stderr)
			return f.exit(a.show(c.Context(), t, flags.plain, open))
		},
	}
	flags.flags(c.Flags())
	followTexts(c.Flags())
	c.Flags().BoolVar(&flags.allowKill, "allow-kill", false, "let x end a connection in the screen's view Open; keeps CAP_NET_ADMIN")
	c.Flags().BoolVar(&flags.plain, "plain", false, "one line for each teardown, also on a terminal (for screen readers and logs)")
	return c
}
