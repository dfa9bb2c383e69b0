package flow

// node is a place in a list.
type node struct{ before, next *Conn }

// list is a list of connections, oldest first.
type list struct {
	first, last *Conn
	count       int
	at          func(*Conn) *node
}

func byAge(c *Conn) *node  { return &c.inAge }
func byTime(c *Conn) *node { return &c.inWheel }

func (l *list) push(c *Conn) {
	n := l.at(c)
	n.before, n.next = l.last, nil
	if l.last != nil {
		l.at(l.last).next = c
	} else {
		l.first = c
	}
	l.last = c
	l.count++
}

func (l *list) remove(c *Conn) {
	n := l.at(c)
	if n.before != nil {
		l.at(n.before).next = n.next
	} else {
		l.first = n.next
	}
	if n.next != nil {
		l.at(n.next).before = n.before
	} else {
		l.last = n.before
	}
	*n = node{}
	l.count--
}
