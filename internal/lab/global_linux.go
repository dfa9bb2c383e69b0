package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// globalVariable allows scenarios that change a setting of the whole machine
// for a moment: for test machines only.
const globalVariable = "CLOSETRACE_LAB_GLOBAL"

// maxOrphans has no counterpart in other network namespaces than the first.
const maxOrphans = "/proc/sys/net/ipv4/tcp_max_orphans"

// runAlone plays a scenario that needs [GlobalSysctl], when no other runs. The
// setting is restored by this process, whatever becomes of the scenario's.
func runAlone(ctx context.Context, sc *Scenario) (result Result, ns *os.File) {
	result = Result{Name: sc.Name, Group: sc.Group}
	if os.Getenv(globalVariable) == "" {
		result.Skipped = fmt.Sprintf("changes %s for a moment: set %s=1 to allow that", maxOrphans, globalVariable)
		return result, nil
	}
	before, err := os.ReadFile(maxOrphans)
	if err != nil {
		result.Skipped = fmt.Sprintf("needs %s: %v", GlobalSysctl, err)
		return result, nil
	}
	if err := os.WriteFile(maxOrphans, []byte("0"), 0); err != nil {
		result.Skipped = fmt.Sprintf("needs %s: %v", GlobalSysctl, err)
		return result, nil
	}
	result, ns = runOne(ctx, sc)
	if err := os.WriteFile(maxOrphans, before, 0); err != nil { // #nosec G703 -- a setting of the lab, by a name of its own list
		result.Error = errors.Join(errors.New(result.Error), fmt.Errorf("restore %s: %w", maxOrphans, err)).Error()
	}
	return result, ns
}

func needsAlone(sc *Scenario) bool { return slices.Contains(sc.Needs, GlobalSysctl) }
