package lab

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
