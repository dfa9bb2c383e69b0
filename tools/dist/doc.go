// Command dist makes everything that a release consists of, without a daemon and
// without the network once its modules are fetched:
//
//	dist -out ../../build/dist [-version v1.2.3]
//
// archives for Linux, Windows and macOS; .deb, .rpm, .apk and Arch packages; a
// container image as an OCI layout; man pages, completions, licences, SBOM; formulas
// for package managers; SHA256SUMS. The same commit gives the same bytes in any
// directory: every time is that of the commit, and no path is in a file.
//
// It is a module of its own, so that closetrace does not depend on what packages it.
package main
