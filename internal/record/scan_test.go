package record

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// The benchmarks of this file show why the scanner is our own: both read every name and
// every value of a line, and do nothing with them.

func BenchmarkScan(b *testing.B) {
	rec := sample()
	line := Append(nil, &rec)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var s scanner
	for b.Loop() {
		s.reset(line)
		if scanAll(&s); s.syntax != "" {
			b.Fatal(s.syntax)
		}
	}
}

func scanAll(s *scanner) {
	switch c := s.peek(); c {
	case '{':
		for _, ok := s.enter(); ok; _, ok = s.next() {
			scanAll(s)
		}
	case '[':
		for ok := s.elements(); ok; ok = s.more() {
			scanAll(s)
		}
	case '"':
		s.text()
	case 't', 'f':
		s.skip(0)
	default:
		s.integer(0, 1<<64-1)
	}
}

func BenchmarkScanWithJSONText(b *testing.B) {
	rec := sample()
	line := Append(nil, &rec)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var text []byte
	options := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	var d jsontext.Decoder
	for b.Loop() {
		d.Reset(bytes.NewBuffer(line), options...)
		if err := scanTokens(&d, &text); !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
}

func scanTokens(d *jsontext.Decoder, text *[]byte) error {
	for {
		switch d.PeekKind() {
		case '"':
			value, err := d.ReadValue()
			if err != nil {
				return err
			}
			if *text, err = jsontext.AppendUnquote((*text)[:0], value); err != nil {
				return err
			}
		case '0':
			value, err := d.ReadValue()
			if err != nil {
				return err
			}
			if _, err = strconv.ParseUint(string(value), 10, 64); err != nil {
				return err
			}
		default:
			if _, err := d.ReadToken(); err != nil {
				return err
			}
		}
	}
}
