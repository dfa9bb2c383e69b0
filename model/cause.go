package model

// Cause says why a connection ended. The names are a contract of files and screens (docs/record.md).
type Cause uint8

const (
	CauseUnknown             Cause = iota // no rule holds
	CauseFIN                              // graceful: FINs were exchanged
	CauseFinWait2Timeout                  // the peer never sent its FIN: graceful without an RST, abortive with one
	CauseUnreadData                       // closed with received data that nobody had read: RST
	CauseLingerZero                       // closed with SO_LINGER {1,0}: RST
	CauseDisconnect                       // connect(AF_UNSPEC) on a connection: RST
	CauseListenerClosed                   // the listener was closed before the connection was accepted: RST
	CauseLocalAbort                       // aborted locally, reason not known (Windows)
	CauseDataAfterClose                   // data came for a closed socket: RST
	CauseDataAfterShutdown                // data came after shutdown of the receiving side, descriptor still open: RST
	CauseRetransmitTimeout                // data or FIN was never acknowledged
	CauseUserTimeout                      // TCP_USER_TIMEOUT ran out
	CauseKeepaliveTimeout                 // keepalive probes were not answered
	CauseZeroWindowTimeout                // the peer's window stayed closed; an orphan's probes may have been answered
	CauseLinger2Timeout                   // TCP_LINGER2 < 0: no FIN_WAIT2 wait, RST
	CauseOrphanOrMemoryLimit              // tcp_max_orphans or tcp_mem exceeded: RST
	CauseMPTCPReset                       // MPTCP closed its subflow by RST (fast close)
	CauseSystemAbort                      // Windows aborted the connection (event 1468)
	CausePeerRestart                      // a SYN from the peer ended the connection (Windows event 1185)
	CauseDestroyed                        // SOCK_DESTROY, ss -K, closetrace kill, SetTcpEntry
	CausePeerReset                        // the peer sent RST
	CauseLingerExpired                    // the SO_LINGER wait of close() ran out
	CauseRefused                          // RST in answer to SYN: nobody listens
	CauseConnectTimeout                   // SYN was never answered
	CauseConnectCancelled                 // closed by the application while connecting
	CauseUnreachable                      // ICMP unreachable while connecting
	CauseNoLocalPort                      // connect() found no free local port: no SYN was sent
	CauseTCPRepair                        // closed in TCP_REPAIR mode: nothing is sent
	CauseOrphanDropped                    // the kernel dropped an orphan without telling the peer
)

var causeNames = [...]string{
	CauseUnknown:             "unknown",
	CauseFIN:                 "fin",
	CauseFinWait2Timeout:     "finwait2-timeout",
	CauseUnreadData:          "unread-data",
	CauseLingerZero:          "linger-zero",
	CauseDisconnect:          "disconnect",
	CauseListenerClosed:      "listener-closed",
	CauseLocalAbort:          "local-abort",
	CauseDataAfterClose:      "data-after-close",
	CauseDataAfterShutdown:   "data-after-shutdown",
	CauseRetransmitTimeout:   "retransmit-timeout",
	CauseUserTimeout:         "user-timeout",
	CauseKeepaliveTimeout:    "keepalive-timeout",
	CauseZeroWindowTimeout:   "zero-window-timeout",
	CauseLinger2Timeout:      "linger2-timeout",
	CauseOrphanOrMemoryLimit: "orphan-or-memory-limit",
	CauseMPTCPReset:          "mptcp-reset",
	CauseSystemAbort:         "system-abort",
	CausePeerRestart:         "peer-restart",
	CauseDestroyed:           "destroyed",
	CausePeerReset:           "peer-reset",
	CauseLingerExpired:       "linger-expired",
	CauseRefused:             "refused",
	CauseConnectTimeout:      "connect-timeout",
	CauseConnectCancelled:    "connect-cancelled",
	CauseUnreachable:         "unreachable",
	CauseNoLocalPort:         "no-local-port",
	CauseTCPRepair:           "tcp-repair",
	CauseOrphanDropped:       "orphan-dropped",
}

// NumCauses is how many causes there are, [CauseUnknown] included: the length of an
// array that is indexed by cause.
const NumCauses = len(causeNames)

// String returns the name used in files and on screens.
func (v Cause) String() string { return enumName(causeNames[:], v) }

// MarshalText implements [encoding.TextMarshaler].
func (v Cause) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Cause) UnmarshalText(text []byte) (err error) {
	*v, err = enumValue[Cause](causeNames[:], "cause", text)
	return err
}
