//go:build !linux

package tui

import tea "charm.land/bubbletea/v2"

func (s *screen) suspend() tea.Cmd { return tea.Suspend }

func (s *screen) goAside(bool) tea.Cmd { return nil }

func (s *screen) asides(*tea.Program) (done func()) { return func() {} }
