// Package packet finds the TCP segment in a captured packet: below link layers, tags
// and tunnels. [Decoder.Decode] allocates nothing, and reads no byte that was not
// captured.
//
// gopacket's layers know more protocols; decoding the same packets with them took several
// times as long (BenchmarkDecode). The tests compare with them.
package packet
