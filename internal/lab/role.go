package lab

import (
	"errors"
	"os"
)

// roleArgument is the hidden command of a process of the lab; what it is to
// play follows. No environment variable starts one.
const roleArgument = "lab-process"

// roleOf returns what a process with these arguments plays in the lab.
func roleOf(args []string) (role string, ok bool) {
	if len(args) != 3 || args[1] != roleArgument {
		return "", false
	}
	return args[2], true
}

// errNoMain: a program without [Main] would, as a process of the lab, run the lab again,
// and so would each of its processes.
var errNoMain = errors.New("the lab in a process of the lab: this program does not call lab.Main first")

func checkMain() error {
	if _, ok := roleOf(os.Args); ok {
		return errNoMain
	}
	return nil
}
