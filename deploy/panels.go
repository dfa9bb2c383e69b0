package deploy

// Panel is a picture of the dashboard.
type Panel struct {
	Title, Note string
	Unit        string // of Grafana
	Stat        bool   // one number, and not a line in time
	Queries     []Query
}

// Query is a line of a panel, or several, named by Legend.
type Query struct{ Expr, Legend string }

// Row is a heading and its panels.
type Row struct {
	Title  string
	Panels []Panel
}

// every is the interval of rates: that of the panel's resolution.
const every = "[$__rate_interval]"

// hosts is what the variable at the top chooses.
const hosts = `{instance=~"$instance"}`

// hostsAnd is the same with more labels.
func hostsAnd(more string) string { return `{instance=~"$instance",` + more + `}` }

// Rows is the dashboard.
func Rows() []Row {
	return []Row{
		{"How connections end", []Panel{
			{Title: "Ends by verdict", Unit: "cps", Queries: []Query{
				{"sum by (verdict) (rate(closetrace_connections_ended_total" + hosts + every + "))", "{{verdict}}"},
			}},
			{Title: "Abnormal ends by cause", Note: "closetrace explain CAUSE says what a cause means.", Unit: "cps", Queries: []Query{
				{"sum by (cause) (rate(closetrace_connections_ended_total" + hostsAnd(`verdict!="graceful"`) + every + "))", "{{cause}}"},
			}},
			{Title: "Abnormal ends by process", Unit: "cps", Queries: []Query{
				{"topk(10, sum by (process) (rate(closetrace_connections_ended_total" + hostsAnd(`verdict!="graceful"`) + every + ")))", "{{process}}"},
			}},
			{Title: "Abnormal ends by port of the listener", Unit: "cps", Queries: []Query{
				{"topk(10, sum by (port) (rate(closetrace_connections_ended_total" + hostsAnd(`verdict!="graceful"`) + every + ")))", "{{port}}"},
			}},
			{Title: "Lost bytes", Note: "unacked: sent and never acknowledged. unread: received and thrown away.", Unit: "Bps", Queries: []Query{
				{"topk(10, sum by (direction, process) (rate(closetrace_lost_bytes_total" + hosts + every + ")))", "{{process}} {{direction}}"},
			}},
			{Title: "Changed by later evidence", Unit: "cps", Queries: []Query{
				{"sum by (verdict, cause) (rate(closetrace_connections_amended_total" + hosts + every + "))", "{{verdict}} {{cause}}"},
			}},
		}},
		{"Why it keeps happening", []Panel{
			{Title: "Connections of findings", Note: "closetrace explain FINDING says what to change.", Unit: "cps", Queries: []Query{
				{"sum by (finding) (rate(closetrace_finding_connections_total" + hosts + every + "))", "{{finding}}"},
			}},
			{Title: "Idle before the end, not graceful", Note: "A step at a round number is a timeout.", Unit: "s", Queries: []Query{
				{"histogram_quantile(0.5, sum by (le) (rate(closetrace_idle_before_close_seconds_bucket" + hostsAnd(`verdict!="graceful"`) + every + ")))", "median"},
				{"histogram_quantile(0.9, sum by (le) (rate(closetrace_idle_before_close_seconds_bucket" + hostsAnd(`verdict!="graceful"`) + every + ")))", "90 %"},
			}},
			{Title: "close() blocked by SO_LINGER", Unit: "s", Queries: []Query{
				{"histogram_quantile(0.9, sum by (le) (rate(closetrace_close_blocked_seconds_bucket" + hosts + every + ")))", "90 %"},
			}},
			{Title: "Accept queues", Note: "How full the fullest are.", Unit: "percentunit", Queries: []Query{
				{"topk(10, closetrace_listener_queue" + hosts + " / (closetrace_listener_backlog" + hosts + " > 0))", "{{instance}} :{{port}}"},
			}},
			{Title: "Queue overflows", Unit: "cps", Queries: []Query{
				{"sum by (name) (rate(closetrace_tcp_events_total" + hostsAnd(`name=~"TcpExtListen(Overflows|Drops)"`) + every + "))", "{{name}}"},
			}},
			{Title: "Stray resets", Note: "Sent for connections that the host does not have.", Unit: "cps", Queries: []Query{
				{"sum by (why) (rate(closetrace_stray_resets_total" + hosts + every + "))", "{{why}}"},
			}},
			{Title: "Open connections", Unit: "short", Queries: []Query{
				{"sum by (state) (closetrace_connections_open" + hosts + ")", "{{state}}"},
			}},
		}},
		{"The agents", []Panel{
			{Title: "Missed events", Note: "Ends near them are inferred.", Unit: "cps", Queries: []Query{
				{"sum by (where) (rate(closetrace_missed_events_total" + hosts + every + "))", "{{where}}"},
			}},
			{Title: "Records", Unit: "cps", Queries: []Query{
				{"sum(rate(closetrace_log_records_total" + hosts + every + "))", "offered"},
				{"sum(rate(closetrace_log_records_exported_total" + hosts + every + "))", "exported"},
				{"sum by (reason) (rate(closetrace_log_records_suppressed_total" + hosts + every + "))", "suppressed: {{reason}}"},
				{"sum by (reason) (rate(closetrace_log_records_lost_total" + hosts + every + "))", "lost: {{reason}}"},
			}},
			{Title: "Waiting for the Collector", Unit: "short", Queries: []Query{{"topk(10, closetrace_log_records_waiting" + hosts + ")", "{{instance}}"}}},
			{Title: "Spools", Unit: "bytes", Queries: []Query{{"topk(10, closetrace_spool_bytes" + hosts + ")", "{{instance}}"}}},
			{Title: "Processor time", Note: "Of the agent and of its programs in the kernel.", Unit: "percentunit", Queries: []Query{
				{"topk(5, rate(process_cpu_seconds_total" + hosts + every + "))", "{{instance}} agent"},
				{"topk(5, rate(closetrace_bpf_run_seconds_total" + hosts + every + "))", "{{instance}} kernel"},
			}},
			{Title: "Memory", Unit: "bytes", Queries: []Query{{"topk(10, process_resident_memory_bytes" + hosts + ")", "{{instance}}"}}},
			{Title: "Shedding", Note: "1 records, 2 findings, 3 processes.", Unit: "short", Stat: true, Queries: []Query{{"max(closetrace_shed_level" + hosts + ")", ""}}},
			{Title: "Agents by version", Unit: "short", Stat: true, Queries: []Query{{"count by (version) (closetrace_build_info" + hosts + ")", "{{version}}"}}},
		}},
	}
}
