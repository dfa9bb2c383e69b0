package lab

import "slices"

// Scenarios returns all scenarios in a stable order. Some need features that
// the kernel may lack; Run says so in their results.
func Scenarios() []Scenario {
	return slices.Concat(
		gracefulScenarios(),
		unreadScenarios(),
		lingerZeroScenarios(),
		lingerScenarios(),
		disconnectScenarios(),
		destroyScenarios(),
		peerScenarios(),
		farScenarios(),
		finWaitScenarios(),
		strayScenarios(),
		listenerScenarios(),
		descriptorScenarios(),
		familyScenarios(),
		mptcpScenarios(),
		limitScenarios(),
		timeoutScenarios(),
		connectScenarios(),
		attemptScenarios(),
	)
}
