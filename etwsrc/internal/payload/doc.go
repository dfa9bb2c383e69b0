// Package payload decodes the payload ("UserData") of ETW events without
// asking Windows: with a table of templates made from the providers'
// manifests, so that a trace can be read on any system.
//
//	raw.Event ──► Decoder.Decode ──► Payload: p.Uint(FieldTcb), p.Address(FieldRemoteAddress)
//
// Microsoft only appended fields in every version step that is known, so a
// payload that is longer than its template is fine and a version newer than
// the table is read with the newest one known. A payload that is too short is
// an error that names both sizes. Every failure is counted by provider, event,
// version and length: that is how a real system that differs from the
// documents shows itself.
//
// Payloads are hostile input: nothing in one makes the decoder read outside of
// it, allocate or loop.
package payload

//go:generate go run ../gen -o zz_templates.go
