// Package tui shows records to people: as one line of text each ([Line]), or
// on the live screen ([Run]).
//
//	records ──► intake ──► deck: journal (the last N), hits (what the query
//	            own        chooses), tallies (counts over all)
//	            goroutine     │ copied once per frame, and at each key
//	                          ▼
//	tick, key ──► screen.Update ──► screen.View ──► terminal
//
// Rules:
//   - The intake never waits for the terminal. What it keeps is bounded; what
//     it counts is not.
//   - There is one tea.Model, the screen. Update changes its state and does no
//     I/O; commands do, and change no state. View reads the state only: no
//     clock, no lock.
//   - A pause shows a snapshot of the deck, a replay one that grows and shrinks.
//   - Rows are selected by identity (sequence number, group key), never by number.
//   - All text that came from the system goes through safetext.Escape where it
//     becomes part of a line, and nowhere else.
//   - A verdict is shown by a glyph and a word; colour only repeats it.
package tui
