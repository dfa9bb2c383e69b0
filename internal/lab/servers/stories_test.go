//go:build linux

package servers_test

import "github.com/closetrace/closetrace/model"

// Stories that many servers share.
var (
	clientCloses = story{
		wire:   "client FIN, server FIN",
		client: end{cause: model.CauseFIN, call: model.CallClose},
		server: end{cause: model.CauseFIN, call: model.CallClose},
	}
	serverCloses = story{
		wire:   "server FIN, client FIN",
		client: end{cause: model.CauseFIN, call: model.CallClose},
		server: end{cause: model.CauseFIN, call: model.CallClose},
	}
	serverShutsDown = story{
		wire:   "server FIN, client FIN",
		client: end{cause: model.CauseFIN, call: model.CallClose},
		server: end{cause: model.CauseFIN, call: model.CallShutdown},
	}
	serverLingerZero = story{
		wire:   "server RST",
		client: end{cause: model.CausePeerReset},
		server: end{cause: model.CauseLingerZero, call: model.CallClose},
	}
	serverUnread = story{
		wire:   "server RST",
		client: end{cause: model.CausePeerReset},
		server: end{cause: model.CauseUnreadData, call: model.CallClose},
	}
	clientUnread = story{
		wire:   "client RST",
		client: end{cause: model.CauseUnreadData, call: model.CallClose},
		server: end{cause: model.CausePeerReset},
	}
)

// exits is s with a server that is killed, or exits, in the place of a close.
func exits(s story, signal int) story {
	s.server.call, s.server.signal = model.CallExit, signal
	return s
}
