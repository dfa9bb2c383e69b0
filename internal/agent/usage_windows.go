package agent

import (
	"runtime/metrics"
	"time"

	"golang.org/x/sys/windows"
)

// usage returns the memory that the runtime holds, and the process's processor time.
func usage() (memory int64, cpu time.Duration) {
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user) == nil {
		hundreds := func(t windows.Filetime) int64 { return int64(t.HighDateTime)<<32 | int64(t.LowDateTime) }
		cpu = time.Duration(hundreds(kernel)+hundreds(user)) * 100
	}
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64()), cpu
}

func monotonic() int64 { return 0 } // for systemd only
