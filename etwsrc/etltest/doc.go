// Package etltest makes ETW traces for tests: synthetic .etl files whose
// payloads are laid out by the providers' manifests (windows-events.json), for
// any version and pointer size, and the real traces of the fixtures folder.
//
// It shares no code with the reader and the decoder under test.
package etltest
