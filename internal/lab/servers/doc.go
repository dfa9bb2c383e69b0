// Package servers plays nginx, redis, HAProxy, Go and Python servers, each in its ways
// to end a connection, and compares the records of both ends with a packet capture
// and with the processes that were started. docs/servers.md is checked row by row.
//
// A server is a function in NAME_test.go that says which connections it expects
// (want) and what its documentation or source says of their ends (story). It runs on
// a bench: a network namespace with a capture of its own.
//
// .ci/run installs the servers; elsewhere what is missing is skipped. With the word
// servers in CLOSETRACE_REQUIRE it fails instead.
package servers
