package main

import (
	"fmt"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/human"
)

// natural makes a flag of n that takes no negative number.
func natural(n *int, usual int) pflag.Value {
	*n = usual
	return (*number)(n)
}

type number int

// String implements pflag.Value.
func (n *number) String() string { return strconv.Itoa(int(*n)) }

// Set implements pflag.Value.
func (n *number) Set(text string) error {
	v, err := strconv.ParseUint(text, 10, 31)
	*n = number(v)
	return err
}

// Type implements pflag.Value.
func (*number) Type() string { return "number" }

// size is a flag such as 100MB or 1GiB.
type size int64

func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return human.Bytes(uint64(*s)) // #nosec G115 -- Set takes none that has not 63 bits
}

// Set implements pflag.Value.
func (s *size) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<62 {
		return fmt.Errorf("%q is not a size such as 100MB", text)
	}
	*s = size(n)
	return nil
}

// Type implements pflag.Value.
func (*size) Type() string { return "size" }
