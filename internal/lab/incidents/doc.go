// Package incidents plays public incidents with the real software they were
// about, and checks that the right finding is named first and no wrong one.
//
// Six of them also run the program as its user does (numbers_linux_test.go): what
// tcpdump saw is what was recorded, and each place that says how many ends there
// were, and how they ended, says what the test counts in the recording by itself.
//
// Each test has network namespaces of its own, so that they run side by side;
// one trace of the whole host serves all of them. What a test needs is installed
// by .ci/run; elsewhere it is skipped and says what is missing. With the word
// incidents in CLOSETRACE_REQUIRE it fails instead.
//
// The truth of a test is the cause that the public report found, which is named
// with its source in the test's comment, never what closetrace says.
package incidents
