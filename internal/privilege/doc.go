// Package privilege answers whose privileges this process runs with.
//
// A program with file capabilities (setcap) lends them to everybody who may
// execute it. What such a user must not do with them, for instance reset
// connections of other users, asks [Borrowed] first.
package privilege
