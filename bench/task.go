package main

import (
	"fmt"
	"time"
)

// A task is what contenders are measured at.
type task struct {
	name string
	says string // one line for the table; %d is the number of artifacts or signatures
	kind kind
	many bool // as many artifacts as asked for, not one

	crowded bool // one artifact, and as many signatures as asked for
	plain   bool // whose annotations do not say which chains they have
	again   bool // with what contenders have kept of the run before
}

// kind is what a task needs and what bounds it.
type kind uint8

const (
	startUp kind = iota
	verifying
	signing // artifacts that have no signature yet
	signingFile
	verifyingFile
)

// tasks lists all of them, in the order of the table.
func tasks() []task {
	return []task{
		{name: "start-up", says: "start, say the version, end", kind: startUp},
		{name: "verify", says: "verify an artifact by digest", kind: verifying},
		{name: "verify-again", says: "verify an artifact by digest that was verified before", kind: verifying, again: true},
		{name: "verify-many", says: "verify %d artifacts by digest", kind: verifying, many: true},
		{name: "verify-many-again", says: "verify %d artifacts by digest that were verified before", kind: verifying, many: true, again: true},
		{name: "verify-last", says: "verify an artifact by the last of %d signatures", kind: verifying, crowded: true},
		{name: "verify-last-plain", says: "verify an artifact by the last of %d signatures without annotations", kind: verifying, crowded: true, plain: true},
		{name: "sign", says: "sign an artifact by digest", kind: signing},
		{name: "sign-many", says: "sign %d artifacts by digest", kind: signing, many: true},
		{name: "sign-blob", says: "sign a file", kind: signingFile},
		{name: "verify-blob", says: "verify a file", kind: verifyingFile},
	}
}

// network reports whether the task talks to a registry.
func (t task) network() bool { return t.kind == verifying || t.kind == signing }

// A row is a task at a round-trip time.
type row struct {
	task
	rtt time.Duration // of tasks that talk to a registry
}

// rows returns the rows to be measured, in order.
func (c config) rows() []row {
	var all []row
	for _, t := range tasks() {
		rtts := []time.Duration{0}
		if t.network() {
			rtts = c.rtts
		}
		for _, rtt := range rtts {
			// Many at the longest round trips only say again what they say at
			// shorter ones, and take minutes.
			if (t.many || t.crowded) && rtt > c.manyRTT {
				continue
			}
			if r := (row{t, rtt}); c.only.MatchString(r.id()) {
				all = append(all, r)
			}
		}
	}
	return all
}

// artifacts returns how many a run of the row is about.
func (r row) artifacts(c config) int {
	if r.many {
		return c.many
	}
	return 1
}

// artifactsFor returns how many of them a contender gets.
func (r row) artifactsFor(c contender, all config) int {
	if n := r.artifacts(all); c.Most == 0 || n < c.Most {
		return n
	}
	return c.Most
}

// id names the row for -run.
func (r row) id() string {
	if !r.network() {
		return r.name
	}
	return fmt.Sprintf("%s/%v", r.name, r.rtt)
}
