//go:build !linux

package sockets

import "context"

// Each calls each for every TCP socket.
func Each(each func(*Conn)) error {
	all, err := List(context.Background(), Options{Scope: Everything})
	if err != nil {
		return err
	}
	for i := range all {
		each(&all[i])
	}
	return nil
}
