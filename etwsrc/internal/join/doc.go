// Package join puts the events of several ETW providers together: what they
// say about one connection becomes the facts of its end.
//
//	TCPIP   1002 1017 1033 1051 1039 1184 ...   by TCB (a pointer that is reused: generations)
//	AFD     1000 1018 1027 1032 3006            by endpoint, joined to a TCB by thread and by address
//	Sockets 2 3 4 6 8 10                        by process and handle, joined by the thread that is
//	                                            inside closesocket, connect or accept
//	Kernel-Network, NT kernel logger            by address: only that a connection ended
//
// A connection is reported once per generation of its TCB, a little after its
// end, because the events that explain it come from several places. What comes
// even later is reported as an outcome.
//
// The package reports facts and never judges. Whatever could make a fact wrong
// sets Evidence.Gap, so that no verdict based on it is certain: events that
// were lost or could not be decoded during the connection's life, events that
// came out of order, states that do not follow each other. Memory is bounded
// by the number of open connections and sockets, and by limits above them.
package join
