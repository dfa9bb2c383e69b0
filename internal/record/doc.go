// Package record writes and reads recordings: JSON Lines in schema
// "closetrace/1" (docs/record.md), plain or in zstd frames.
//
//	model.Record ──► [Append] ──► [Writer]: batch ──► file.jsonl │ frame ──► file.jsonl.zst
//	file │ pipe ──► [Reader]: frames ──► lines ──► [Decoder] ──► model.Record ──► [Rejudge]
//
// Promises of a recording: a line is written whole or not at all; what was
// written stays readable whatever happens afterwards (a full disk, a kill, a
// cut file); what a reader could not read it reports, with line and byte.
//
// The tagged types of package model say what a line holds. Command generate makes
// encoder, decoder, CSV columns, filter names, JSON Schema and the tables of
// docs/record.md from them (zz_*.go; go generate ./internal/record): straight-line
// code, because a line is encoded without an allocation while the traced host is
// busy, and a recording of millions of lines is read back at the speed of the
// disk. Tests compare both with encoding/json and with the JSON Schema.
//
// The Writer is the one place after a source that has a clock: it flushes
// every second and rotates by age.
package record

//go:generate go run ./generate ../..
