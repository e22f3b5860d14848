package sandbox

import (
	"maps"
	"sync"
	"time"
)

// searchIndex is what search reads instead of the store: the same records, but
// changes arrive in it late.
type searchIndex struct {
	clock *clock

	mu  sync.Mutex
	lag time.Duration
	// late are the records as they were before changes that may not have arrived,
	// by id and oldest first.
	late map[int64][]lateChange
}

// lateChange is a record before a change.
type lateChange struct {
	at      time.Time
	was     record
	existed bool
}

func newSearchIndex(c *clock) *searchIndex {
	return &searchIndex{clock: c, late: map[int64][]lateChange{}}
}

// setLag says how long changes take from now on, and also those on their way.
func (x *searchIndex) setLag(lag time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lag = lag
}

// note remembers a record that is about to change. It is called under the lock of
// the records.
func (x *searchIndex) note(was record, existed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lag > 0 {
		x.late[was.id] = append(x.late[was.id], lateChange{at: x.clock.now(), was: was, existed: existed})
	}
}

// forget drops what is on its way, for records that are made anew.
func (x *searchIndex) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.late)
}

// pending lists what the index still has of records whose changes are on their
// way, and forgets the changes that arrived.
func (x *searchIndex) pending() map[int64]lateChange {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.clock.now()
	found := map[int64]lateChange{}
	for id, changes := range x.late {
		for len(changes) > 0 && now.Sub(changes[0].at) >= x.lag {
			changes = changes[1:]
		}
		if len(changes) == 0 {
			delete(x.late, id)
			continue
		}
		x.late[id] = changes
		found[id] = changes[0]
	}
	return found
}

// indexed are the records as search knows them.
func (p *portal) indexed() *records {
	p.contacts.mu.Lock()
	defer p.contacts.mu.Unlock()
	late := p.index.pending()
	if len(late) == 0 {
		return p.contacts
	}
	s := p.contacts
	view := &records{
		size: s.size, begun: s.begun, ended: s.ended, lastID: s.lastID, seed: s.seed, tick: s.tick,
		changed: maps.Clone(s.changed),
	}
	for id, change := range late {
		view.changed[id] = change.was
		if !change.existed {
			view.changed[id] = record{id: id, purged: true}
		}
	}
	return view
}
