// Package anonymize replaces what of records tells of hosts, people and networks, the
// same value always by the same other one, so that patterns stay.
//
//	address       Crypto-PAn: two addresses share as many leading bits as before;
//	              private ones never become 0.0.0.0/8 or 127.0.0.0/8
//	name, path    a pseudonym that a key makes; of paths each element by itself
//	pid, uid,     a number that a key makes; 0, root, stays
//	namespace
//	system        the first numbers of its version stay
//
// Verdicts, times, ports, counts and states stay. A text field that is not known here
// is replaced too, so that a new field is never forgotten.
package anonymize
