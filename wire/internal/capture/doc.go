// Package capture reads packet captures: pcap and pcapng of either byte order,
// as they are, in gzip or in zstd.
//
// It is written for untrusted files. Memory is one buffer of [bufferSize] bytes whatever
// a length field says: of a longer packet the begin is handed out, and the rest is read
// over. What comes before a damaged place is read; then an error says where the file is
// damaged.
//
// gopacket's pcapgo reads the same formats. It is used in the tests, as another
// opinion: it allocates what a length field says, and stops where blocks are
// unusual, and what [Copy] needs is the blocks themselves.
package capture
