// Command retest runs go test and gives a test that fails a second chance only
// if quarantine.txt names it, with its reason. At the end it prints how often
// each quarantined test was run again, so that a flaky test is never silent:
//
//	retest [-tries 3] -- go test -p 1 ./...
//
// Exit code 0: all tests passed, or those that failed are quarantined and passed
// when they ran again, alone. Everything else is the exit code 1: a failure of a
// test that is not named, a package that does not build, a panic, a timeout.
package main
