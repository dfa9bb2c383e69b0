package model

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// headings are the sections of every explanation.
var headings = []string{
	"What happened", "What usually does it", "What both ends notice",
	"What to check next", "How it is known", "What looks alike",
}

func TestEveryCauseIsExplained(t *testing.T) {
	titles := map[string]Cause{}
	for _, c := range Causes() {
		e := Explain(c)
		if e.Title == "" || e.Summary == "" {
			t.Fatalf("%v: no title or summary: %+v", c, e)
		}
		if other, taken := titles[e.Title]; taken {
			t.Errorf("%v and %v have one title", c, other)
		}
		titles[e.Title] = c
		if len(e.Summary) > 120 || !strings.HasSuffix(e.Summary, ".") {
			t.Errorf("%v: the summary has %d bytes of 120, or no full stop: %q", c, len(e.Summary), e.Summary)
		}
		var got []string
		for _, s := range e.Sections {
			got = append(got, s.Heading)
			if len(s.Text) < 20 {
				t.Errorf("%v: section %q is empty", c, s.Heading)
			}
		}
		if !slices.Equal(got, headings) {
			t.Errorf("%v: got headings %q, want %q", c, got, headings)
		}
	}
	if got, want := len(Causes()), len(causeNames); got != want {
		t.Errorf("got %d causes, want %d", got, want)
	}
	if got := Explain(Cause(200)); got.Title != "" || got.Sections != nil {
		t.Errorf("a cause that does not exist: got %+v", got)
	}
}

// TestExplanationsKeepTheirFiles: nothing is lost between file and Markdown,
// and no file is left over.
func TestExplanationsKeepTheirFiles(t *testing.T) {
	files, err := explanations.ReadDir("explain")
	if err != nil || len(files) != len(causeNames) {
		t.Fatalf("got %d texts, %v; want one for each of %d causes", len(files), err, len(causeNames))
	}
	for _, c := range Causes() {
		data, err := explanations.ReadFile("explain/" + c.String() + ".md")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Fields(markdown(Explain(c))), strings.Fields(string(data)); !slices.Equal(got, want) {
			t.Errorf("%v: Markdown differs from the file", c)
		}
		for i, line := range strings.Split(string(data), "\n") {
			if len(line) > 100 || strings.TrimRight(line, " \t") != line {
				t.Errorf("%v.md:%d: %d bytes of 100, or blanks at the end", c, i+1, len(line))
			}
		}
		if i := strings.IndexFunc(string(data), func(r rune) bool { return r > '~' }); i >= 0 {
			t.Errorf("%v: a character that some terminals lack at byte %d", c, i)
		}
	}
}

// TestExplanationsNameTheirRules: the rules that a text names are those of its cause.
func TestExplanationsNameTheirRules(t *testing.T) {
	line := regexp.MustCompile(`(?m)^Rules?: (.*)\.$`)
	name := regexp.MustCompile("`([^`]+)`")
	for _, c := range Causes() {
		var want []string
		for _, r := range Rules() {
			if r.Cause == c {
				want = append(want, r.Name)
			}
		}
		m := line.FindStringSubmatch(section(t, c, "How it is known"))
		if m == nil {
			t.Errorf("%v: no line with its rules", c)
			continue
		}
		var got []string
		for _, s := range name.FindAllStringSubmatch(m[1], -1) {
			got = append(got, s[1])
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%v: names rules %q, the table has %q", c, got, want)
		}
	}
}

func TestExplanationsPointToOtherCauses(t *testing.T) {
	item := regexp.MustCompile("(?m)^- ((?:`[^`]+`,? ?)+)")
	name := regexp.MustCompile("`([^`]+)`")
	for _, c := range Causes() {
		text := section(t, c, "What looks alike")
		items := item.FindAllStringSubmatch(text, -1)
		if len(items) < 2 || len(items) != strings.Count("\n"+text, "\n- ") {
			t.Errorf("%v: %d of the items begin with a cause, want all and at least two", c, len(items))
		}
		for _, i := range items {
			for _, s := range name.FindAllStringSubmatch(i[1], -1) {
				var other Cause
				if err := other.UnmarshalText([]byte(s[1])); err != nil || other == c {
					t.Errorf("%v: looks alike %q: %v", c, s[1], err)
				}
			}
		}
	}
}

// TestExplanationsGiveCommandsThatWork: each text tells how to see its cause,
// and filters compile. Names of flags, sysctls and counters are spelt as the
// programs and the kernel (Documentation/networking/ip-sysctl.rst,
// net/ipv4/proc.c, net/mptcp/mib.c) have them.
func TestExplanationsGiveCommandsThatWork(t *testing.T) {
	flag := regexp.MustCompile(`--([a-z-]+)(?:[ =]('[^']*'|[^ -]\S*))?`)
	for _, c := range Causes() {
		text := section(t, c, "What to check next")
		if !strings.Contains(text, "closetrace live --cause "+c.String()+"\n") &&
			!strings.Contains(text, "closetrace live --cause "+c.String()+" ") &&
			!strings.Contains(text, "closetrace live --verdict ") {
			t.Errorf("%v: no command shows it", c)
		}
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "closetrace ") {
				continue
			}
			for _, m := range flag.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
				requireFlag(t, c, m[1], strings.Trim(m[2], "'"))
			}
		}
	}
}

func requireFlag(t *testing.T, c Cause, name, value string) {
	t.Helper()
	var err error
	switch name {
	case "cause":
		err = new(Cause).UnmarshalText([]byte(value))
	case "verdict":
		err = new(Verdict).UnmarshalText([]byte(value))
	case "filter":
		_, err = CompileFilter(value)
	case "selftest", "rejudge":
	default:
		t.Errorf("%v: no flag --%s is known", c, name)
	}
	if err != nil {
		t.Errorf("%v: --%s %q: %v", c, name, value, err)
	}
}

func TestExplanationsSpellNamesRight(t *testing.T) {
	for what, c := range map[string]struct{ pattern, known string }{
		"sysctls": {`\btcp_(?:retries|syn_|orphan_r|max_|mem|fin_|keepalive_(?:time|intvl|probes)|abort|migrate|mtu)\w*`, `
			tcp_retries1 tcp_retries2 tcp_syn_retries tcp_syn_linear_timeouts tcp_orphan_retries tcp_max_orphans
			tcp_mem tcp_fin_timeout tcp_keepalive_time tcp_keepalive_intvl tcp_keepalive_probes
			tcp_abort_on_overflow tcp_migrate_req tcp_mtu_probing
			tcp_abort tcp_keepalive_timer`}, // the last two are functions
		"sysctl arguments": {`net\.ipv4\.\w+`, `
			net.ipv4.tcp_retries2 net.ipv4.tcp_syn_retries net.ipv4.tcp_syn_linear_timeouts
			net.ipv4.tcp_orphan_retries net.ipv4.tcp_max_orphans net.ipv4.tcp_mem net.ipv4.tcp_fin_timeout
			net.ipv4.tcp_keepalive_time net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes
			net.ipv4.tcp_abort_on_overflow net.ipv4.tcp_migrate_req net.ipv4.tcp_mtu_probing
			net.ipv4.ip_local_port_range net.ipv4.tcp_tw_reuse`},
		"counters": {`\b(?:TcpExt|MPTcpExt|TcpAtt|TcpEst)\w+|\bTCP(?:Abort|Syn|SYN|Timeouts|Keep|Win|Migrate)\w*|\bListen[OD]\w+`, `
			TcpExtTCPAbortOnData TcpExtTCPAbortOnClose TcpExtTCPAbortOnMemory TcpExtTCPAbortOnTimeout
			TcpExtTCPAbortOnLinger TcpExtTCPTimeouts TcpExtTCPKeepAlive TcpExtTCPWinProbe TcpExtListenOverflows
			TcpExtTCPMigrateReqSuccess TcpEstabResets TcpAttemptFails ListenOverflows ListenDrops TCPSYNChallenge
			TCPAbortOnData TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnLinger
			MPTcpExtMPFastcloseTx MPTcpExtMPRstTx MPTcpExtMPRstRx`},
		"reset reasons": {`\bTCP_(?:ABORT|STATE|KEEPALIVE_T|TIMEWAIT|DISCONNECT)\w*`, `
			TCP_ABORT_ON_DATA TCP_ABORT_ON_CLOSE TCP_ABORT_ON_LINGER TCP_ABORT_ON_MEMORY TCP_STATE
			TCP_KEEPALIVE_TIMEOUT TCP_TIMEWAIT_SOCKET`},
		"socket options": {`\bSO_\w+|\bTCP_(?:USER|LINGER|REPAIR|SYNC|MAXRT)\w*`, `
			SO_ERROR SO_LINGER SO_DONTLINGER SO_KEEPALIVE SO_REUSEPORT TCP_USER_TIMEOUT TCP_LINGER2 TCP_REPAIR TCP_REPAIR_ON TCP_SYNCNT TCP_MAXRT`},
		"fields of records": {"`(?:tcp|linger|closer|facts|confidence|close)[._][a-z_.]+`", "" +
			"`tcp.bytes.sent` `tcp.bytes.unread` `tcp.bytes.unacked` `tcp.fin.received` `tcp.srtt_ns` `tcp.error` `linger.outcome` " +
			"`closer.call` `closer.signal` `close_blocked_ns` `confidence_reason` `facts.events` `facts.soft_error` " +
			"`tcp_listen_options.linger` " + // RabbitMQ's
			// functions of the kernel that look alike
			"`tcp_time_wait` `tcp_rcv_state_process` `tcp_keepalive_timer` `tcp_send_active_reset` `tcp_done` " +
			"`tcp_disconnect` `tcp_receive_reset` `tcp_reset` `tcp_retransmit_timer` `tcp_write_timeout` `tcp_write_err` " +
			"`tcp_probe_timer` `tcp_out_of_resources` `tcp_check_oom` `tcp_validate_incoming` `tcp_abort` " +
			"`tcp_check_req` `tcp_conn_request` `tcp_diag_destroy` `tcp_rcv_synsent_state_process` `tcp_close` `tcp_close_state` `tcp_user_timeout`"},
	} {
		known := strings.Fields(c.known)
		pattern := regexp.MustCompile(c.pattern)
		for _, cause := range Causes() {
			for _, word := range pattern.FindAllString(markdown(Explain(cause)), -1) {
				if !slices.Contains(known, word) {
					t.Errorf("%v: %s: %q is not one that is known", cause, what, word)
				}
			}
		}
	}
}

func section(t *testing.T, c Cause, heading string) string {
	t.Helper()
	for _, s := range Explain(c).Sections {
		if s.Heading == heading {
			return s.Text + "\n"
		}
	}
	t.Fatalf("%v: no section %q", c, heading)
	return ""
}

// markdown puts a text together again.
func markdown(e Explanation) string {
	var b strings.Builder
	b.WriteString("# " + e.Title + "\n\n" + e.Summary + "\n")
	for _, s := range e.Sections {
		b.WriteString("\n## " + s.Heading + "\n\n" + s.Text + "\n")
	}
	return b.String()
}

// TestBlocksKeepTheText: each word is in a block of its kind, and no mark of
// Markdown but for `code`.
func TestBlocksKeepTheText(t *testing.T) {
	marks := regexp.MustCompile("(?m)^(- |```.*$)")
	for _, c := range Causes() {
		for _, s := range Explain(c).Sections {
			var got []string
			items := 0
			for _, b := range s.Blocks() {
				items += len(b.Items)
				for _, text := range append(b.Items, b.Paragraph, b.Code) {
					if strings.Contains(text, "```") || strings.HasPrefix(text, "- ") {
						t.Errorf("%v, %s: a mark is left in %q", c, s.Heading, text)
					}
					got = append(got, strings.Fields(text)...)
				}
			}
			if want := strings.Fields(marks.ReplaceAllString(s.Text, "")); !slices.Equal(got, want) {
				t.Errorf("%v, %s: got %q, want %q", c, s.Heading, got, want)
			}
			if want := strings.Count("\n"+s.Text, "\n- "); items != want {
				t.Errorf("%v, %s: got %d items, want %d", c, s.Heading, items, want)
			}
		}
	}
}

// Each row of the closesocket table in docs/windows.md, and what stands below it,
// is explained with the cause that it leads to.
func TestExplanationsCoverTheClosesocketTable(t *testing.T) {
	for cause, words := range map[Cause][]string{
		CauseFIN:           {"SO_DONTLINGER, the default", "With {1,N} a blocking one waits", "non-blocking one returns 0", "`SD_BOTH`", "after WSAEWOULDBLOCK", "WSPCloseSocket"},
		CauseLingerZero:    {"never WSAEWOULDBLOCK", "after a close that failed so", "FIN_WAIT2, it still resets"},
		CauseLingerExpired: {"the connection is reset when the time is over", "`close-failed`", "sets SO_DONTLINGER", "`shutdown(SD_SEND)`", "FD_CLOSE", "Windows CE"},
		CauseLocalAbort:    {"overlapped sends", "0x10 and 0x11", "WSA_OPERATION_ABORTED"},
	} {
		var text strings.Builder
		for _, s := range Explain(cause).Sections {
			text.WriteString(s.Text + " ")
		}
		all := strings.Join(strings.Fields(text.String()), " ")
		for _, w := range words {
			if !strings.Contains(all, w) {
				t.Errorf("%v does not tell of %q", cause, w)
			}
		}
	}
}

// TestVerdictsOfCauses: a cause is listed under each verdict that rules give with it, once.
func TestVerdictsOfCauses(t *testing.T) {
	for cause, want := range map[Cause][]Verdict{
		CauseUnknown:         {VerdictUnknown, FailedOpen, Abortive},
		CauseFIN:             {Graceful},
		CausePeerReset:       {Abortive},
		CauseRefused:         {FailedOpen},
		CauseFinWait2Timeout: {Abortive, Graceful},
		CauseLingerExpired:   {LingerTimeout},
		CauseOrphanDropped:   {Silent},
	} {
		if got := cause.Verdicts(); !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", cause, got, want)
		}
	}
}
