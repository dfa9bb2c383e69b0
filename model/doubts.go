package model

// What was not seen of observations: the reasons for which a verdict is inferred.

func doubtConnectFailed(raw) string { return "the reason of the failure is not one that is known" }

func doubtAbort(raw) string { return "SO_LINGER and the reason of the abort were not seen" }

func doubtCutOff(raw) string { return "no event says who ended the connection, or why" }

func doubtDisconnectTimeout(raw) string {
	return "what starts the disconnect timer is not documented"
}

func doubtDestroyed(f raw) string {
	if announced(f, ObservedDestroyed) {
		return "that the platform's event means this is not documented"
	}
	return ""
}

func doubtResetHere(raw) string {
	return "the peer seems not to have sent the RST: this host's firewall made it, or a program with a raw socket"
}

func doubtResetBetween(raw) string {
	return "the other end is on this host and was still open: something between them sent the RST"
}

func doubtCancelled(f raw) string {
	if f.Evidence.ICMPWatched.Is(true) {
		return ""
	}
	return "an ICMP error that the application read before it gave up would not have been seen"
}

// doubtStackReset: Linux gives up no connection for want of memory that a process
// still holds. Until 6.9 it reports other errors to that process before it ends the
// connection. In FIN_WAIT2 the reason is the time that the peer took.
func doubtStackReset(f raw) string {
	if f.Evidence.Dead.Or(true) || f.last == FinWait2 {
		return ""
	}
	return "the socket's error was read before the end was seen: keep-alive or an administrator may have ended it"
}

func doubtLinger(f raw) string {
	w := &f.Evidence.Wait
	if w.Returned.Known() || w.Waiting.Or(0) >= lingerLimit(f.Facts)-tick {
		return ""
	}
	return "the return of close() was not seen: a signal may have ended the wait"
}

func doubtPeerFIN(f raw) string {
	if f.last == Closing && f.Evidence.Announced != 0 {
		return "TIME_WAIT did not follow: our FIN may not have been acknowledged" // Windows reports it
	}
	if f.TCP.FIN.Received.Is(true) {
		return ""
	}
	return "the peer's FIN was not seen: TIME_WAIT took over"
}

func doubtFINAcked(f raw) string {
	if f.Evidence.FINAcked.Known() || f.Evidence.Announced != 0 {
		return ""
	}
	return "the acknowledgement of our FIN was not seen"
}
