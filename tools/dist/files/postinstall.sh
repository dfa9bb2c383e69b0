#!/bin/sh
# Members of the group closetrace may trace without root; nobody else may run the
# program, because of its capabilities. As wireshark-common does it with dumpcap.
set -e
program=/usr/bin/closetrace

if ! grep -q '^closetrace:' /etc/group; then
	if command -v groupadd >/dev/null; then groupadd --system closetrace; else addgroup -S closetrace; fi
fi
chgrp closetrace $program
chmod 0750 $program
if command -v setcap >/dev/null && setcap cap_bpf,cap_perfmon,cap_net_admin=ep $program 2>/dev/null; then
	:
else
	echo "closetrace: no file capabilities here, so tracing needs root (sudo closetrace)." >&2
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || :; fi
