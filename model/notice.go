package model

import (
	"encoding/json"
	"fmt"
)

// Notices is a set of [Notice].
type Notices uint32

// Notice is one announcement of the platform about the end of a connection.
type Notice uint8

const (
	NoticeRSTReceived       Notice = iota // a RST came on a connection that was open
	NoticeRefused                         // a RST came in answer to the SYN
	NoticeConnectTimeout                  // the SYN was never answered
	NoticeUnreachable                     // the connection attempt failed: no way to the peer
	NoticeConnectFailed                   // the connection attempt failed otherwise
	NoticeAbort                           // an abort was asked for on this host
	NoticeRetransmitTimeout               // data was never acknowledged
	NoticeKeepaliveTimeout                // keepalive probes were not answered
	NoticeZeroWindowTimeout               // zero-window probes were not answered
	NoticeFinWait2Timeout                 // the peer's FIN never came
	NoticeDisconnectTimeout               // the stack's disconnect timer ran out
	NoticeSystemAbort                     // the system aborted the connection
	NoticeDestroyed                       // an administrator ended the connection
	NoticePeerRestart                     // a SYN came on a connection that was open
	NoticeShutdown                        // this host sent its FIN
	NoticePeerFIN                         // the peer's FIN came
	NoticeClose                           // the application closed the socket
	NoticeRSTSent                         // a RST left this host
	NoticeDisconnect                      // a connection ended; the source cannot tell how
	NoticeCutOff                          // closed from a state in which a FIN was still to come, and nothing said why
)

var noticeNames = []string{
	"rst-received", "refused", "connect-timeout", "unreachable", "connect-failed", "abort",
	"retransmit-timeout", "keepalive-timeout", "zero-window-timeout", "finwait2-timeout",
	"disconnect-timeout", "system-abort", "destroyed", "peer-restart", "shutdown", "peer-fin",
	"close", "rst-sent", "disconnect", "cut-off",
}

// String returns the name used in files.
func (n Notice) String() string { return enumName(noticeNames, n) }

// Add puts n into the set.
func (s *Notices) Add(n Notice) { *s |= 1 << n }

// Has reports whether n is in the set.
func (s Notices) Has(n Notice) bool { return s&(1<<n) != 0 }

// MarshalJSON implements [json.Marshaler]: a list of names.
func (s Notices) MarshalJSON() ([]byte, error) {
	names := []string{}
	for i, name := range noticeNames {
		if s.Has(Notice(i)) {
			names = append(names, name)
		}
	}
	return json.Marshal(names)
}

// UnmarshalJSON implements [json.Unmarshaler]; like a slice, s is replaced.
func (s *Notices) UnmarshalJSON(data []byte) error {
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return fmt.Errorf("notices: %w", err)
	}
	*s = 0
	for _, name := range names {
		n, err := enumValue[Notice](noticeNames, "notice", []byte(name))
		if err != nil {
			return err
		}
		s.Add(n)
	}
	return nil
}
