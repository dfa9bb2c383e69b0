#!/bin/sh
# Takes the pictures of docs/img from the real program: `closetrace demo` in
# tmux, with the keys that a user would press. Needs root, tmux and Go.
set -eu
program=$1 out=$2
columns=120 lines=36 theme=
tmux="tmux -L closetrace-pictures-$$"
work=$(mktemp -d)
trap '$tmux kill-server 2>/dev/null || true; rm -r "$work"' EXIT
go build -o "$work/picture" ./tui/picture
$tmux -f /dev/null new-session -d -x $columns -y $lines "TERM=xterm-256color LANG=C.UTF-8 $program demo"

# press sends keys, one by one, and waits until the screen had a frame.
press() {
	for key in "$@"; do $tmux send-keys "$key"; sleep 0.3; done
}

# take captures the screen.
take() {
	sleep 0.5
	$tmux capture-pane -e -p >"$work/capture"
	"$work/picture" $theme -size ${columns}x$lines <"$work/capture" >"$out/$1.svg"
}

sleep 25
take stream
press 3
take causes
press 2 / u n r e a d Enter Enter
take detail
press Escape
press Escape
press 4
take processes
press 1
take findings
press q

# The same on a light terminal, which tmux answers for.
sleep 1
$tmux -f /dev/null new-session -d -x $columns -y $lines "sleep 2; TERM=xterm-256color LANG=C.UTF-8 $program demo"
$tmux set -g window-style 'fg=#24292f,bg=#ffffff'
sleep 25
theme=-light
take light
press q
