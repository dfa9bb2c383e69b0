package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/anonymize"
	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/internal/safefile"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
)

const anonymizeHelp = `Copy a recording without what identifies hosts, people and networks, so that it can
be shared. Addresses are replaced so that those of one network stay together
(Crypto-PAn); names of processes, users, hosts, containers, pods and units, paths,
command lines, container ids, process, user and namespace numbers get pseudonyms,
the same value always the same one. Verdicts, causes, times, ports, byte counts and findings
stay; the filter of the trace is removed.

Without --key the key is thrown away, and another recording gets other pseudonyms.
Times, ports and counts may still give it away to those who know the traffic.

Examples:
  closetrace anonymize incident.jsonl.zst -o public.jsonl.zst
  head -c 32 /dev/urandom > our.key
  closetrace anonymize monday.jsonl --key our.key -o monday-public.jsonl`

func newAnonymize(a *app) *cobra.Command {
	var output, keyFile string
	var options record.Options
	c := &cobra.Command{
		Use:   "anonymize FILE|- [flags]",
		Short: "Copy a recording without addresses, names and paths",
		Long:  anonymizeHelp,
		Args:  oneFile,
		RunE: func(c *cobra.Command, args []string) error {
			if err := notItself(output, args[0], keyFile); err != nil {
				return err
			}
			key, err := readKey(keyFile)
			if err != nil {
				return err
			}
			return a.anonymize(c.Context(), args[0], output, options, key)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "-", "`FILE` to write, - for standard output")
	c.Flags().StringVar(&keyFile, "key", "", "`FILE` with a secret of at least 16 bytes (default one that is not kept)")
	c.Flags().BoolVar(&options.Force, "force", false, "overwrite an existing file")
	c.Flags().BoolVar(&options.Compress, "compress", false, "write zstd frames")
	return c
}

const secretMax = 64 << 10 // bytes

// readKey reads the secret, or makes one.
func readKey(path string) (*anonymize.Key, error) {
	secret := make([]byte, 32)
	if path == "" {
		if _, err := rand.Read(secret); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		return anonymize.NewKey(secret)
	}
	file, err := os.Open(path) // it may be a pipe
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer file.Close()
	if secret, err = safefile.Limited(file, path, secretMax); err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if len(secret) < 16 {
		return nil, usage("--key %s has %d bytes, which can be guessed: head -c 32 /dev/urandom > %s", path, len(secret), path)
	}
	return anonymize.NewKey(secret)
}

func (a *app) anonymize(ctx context.Context, path, output string, options record.Options, key *anonymize.Key) (err error) {
	in, err := session.Open(path, session.OpenOptions{Version: version()})
	if err != nil {
		return err
	}
	defer in.Close()
	var w *record.Writer // made when the first record is known: what is not a recording leaves no file
	open := func() (err error) {
		if w == nil {
			w, err = record.Create(output, options)
		}
		return createError(output, err)
	}
	defer func() {
		if w == nil {
			return
		}
		if err = errors.Join(err, w.Close()); err != nil && output != "-" {
			err = fmt.Errorf("%w; %s has only what came before", err, output)
		}
	}()
	var dropped int
	if err := session.Each(in.Records(ctx), session.All(), func(r *model.Record) error {
		if err := open(); err != nil {
			return err
		}
		key.Record(r)
		err := w.Write(r)
		if errors.Is(err, record.ErrLine) {
			dropped++
			err = nil
		}
		return err
	}); err != nil {
		return err
	}
	if dropped > 0 {
		fmt.Fprintf(a.stderr, "closetrace: %s left out: with pseudonyms they are longer than a line may be\n", human.Many(dropped, "record"))
	}
	if err := open(); err != nil {
		return err
	}
	in.Report(a.stderr)
	return nil
}
