package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"example.com/enlace/store"
)

// The pace of the feed. It asks the database instead of listening to it: that also works behind a transaction pooler, and
// nobody has to tell it anything.
const (
	feedPoll    = 500 * time.Millisecond // while somebody listens
	feedOverlap = 10 * time.Second       // a row may be committed so much later than it was written
	feedRows    = 500                    // of a kind and tenant, at once
	feedStreams = 20                     // of a tenant
	feedBuffer  = 32                     // answers that a slow listener may be behind
)

// changes are the rows of one tenant that have changed, with the integrations of the runs.
type changes struct {
	runs         []store.Run // the oldest change first
	integrations []store.Integration
	of           map[uuid.UUID]store.Integration
}

// listener is one open event stream. Its channel is closed when it is too slow, or the server stops: the client comes
// back with the last id that it has seen.
type listener struct {
	tenant uuid.UUID
	ch     chan changes
}

// feed tells open event streams what has changed: one loop a process, which rests while nobody listens. It is safe for
// concurrent use.
type feed struct {
	store *store.Store
	log   zerolog.Logger
	came  chan struct{}

	heartbeat time.Duration // of its streams

	mu        sync.Mutex
	closed    bool
	listeners map[*listener]struct{}
}

func newFeed(s *store.Store, log zerolog.Logger) *feed {
	return &feed{store: s, log: log, came: make(chan struct{}, 1), heartbeat: heartbeat, listeners: make(map[*listener]struct{})}
}

// listen adds a listener; leave removes it. Free is false if the tenant has too many already.
func (f *feed) listen(tenant uuid.UUID) (l *listener, leave func(), free bool) {
	l = &listener{tenant: tenant, ch: make(chan changes, feedBuffer)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		close(l.ch)
		return l, func() {}, true
	}
	count := 0
	for other := range f.listeners {
		if other.tenant == tenant {
			count++
		}
	}
	if count >= feedStreams {
		return nil, nil, false
	}
	f.listeners[l] = struct{}{}
	select {
	case f.came <- struct{}{}:
	default:
	}
	return l, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.drop(l)
	}, true
}

// drop ends a listener, once. The caller holds the lock.
func (f *feed) drop(l *listener) {
	if _, ok := f.listeners[l]; ok {
		delete(f.listeners, l)
		close(l.ch)
	}
}

func (f *feed) tenants() []uuid.UUID {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []uuid.UUID
	for l := range f.listeners {
		if !slices.Contains(list, l.tenant) {
			list = append(list, l.tenant)
		}
	}
	return list
}

// run feeds until ctx ends, and then ends all listeners.
func (f *feed) run(ctx context.Context) {
	defer f.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.came:
		}
		f.follow(ctx)
	}
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for l := range f.listeners {
		f.drop(l)
	}
}

// follow asks for changes as long as somebody listens.
func (f *feed) follow(ctx context.Context) {
	told := make(map[uuid.UUID]time.Time) // what was said of a row, by the time when it was written
	var since time.Time
	ticker := time.NewTicker(feedPoll)
	defer ticker.Stop()
	for tenants := f.tenants(); len(tenants) > 0; tenants = f.tenants() {
		if since.IsZero() {
			now, err := f.store.Now(ctx)
			if err != nil {
				f.log.Debug().Err(err).Msg("changes can't be read; the next round tries again")
			}
			since = now
		} else if now, err := f.round(ctx, tenants, since.Add(-feedOverlap), told); err == nil {
			since = now
		} else if ctx.Err() == nil {
			f.log.Debug().Err(err).Msg("changes can't be read; the next round tries again")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// round reads what has changed and hands out what was not told yet.
func (f *feed) round(ctx context.Context, tenants []uuid.UUID, since time.Time, told map[uuid.UUID]time.Time) (time.Time, error) {
	c, err := f.store.ChangedSince(ctx, tenants, since, feedRows)
	if err != nil {
		return since, err
	}
	for id, at := range told {
		if at.Before(since) {
			delete(told, id)
		}
	}
	isNews := func(id uuid.UUID, at time.Time) bool {
		if told[id].Equal(at) {
			return false
		}
		told[id] = at
		return true
	}
	c.Runs = slices.DeleteFunc(c.Runs, func(r store.Run) bool { return !isNews(r.ID, r.UpdatedAt) })
	c.Integrations = slices.DeleteFunc(c.Integrations, func(i store.Integration) bool { return !isNews(i.ID, i.UpdatedAt) })
	if len(c.Runs)+len(c.Integrations) == 0 {
		return c.Now, nil
	}
	byTenant, err := f.sort(ctx, c)
	if err != nil {
		return since, err
	}
	f.tell(byTenant)
	return c.Now, nil
}

// sort puts changes in the order in which they happened, by tenant, with the integrations that runs are of.
func (f *feed) sort(ctx context.Context, c store.Changes) (map[uuid.UUID]changes, error) {
	ids := make([]uuid.UUID, 0, len(c.Runs))
	for _, r := range c.Runs {
		ids = append(ids, r.IntegrationID)
	}
	of, err := f.store.IntegrationsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	slices.Reverse(c.Runs)
	slices.Reverse(c.Integrations)
	sorted := make(map[uuid.UUID]changes)
	for _, r := range c.Runs {
		mine := sorted[r.TenantID]
		mine.runs, mine.of = append(mine.runs, r), of
		sorted[r.TenantID] = mine
	}
	for _, i := range c.Integrations {
		mine := sorted[i.TenantID]
		mine.integrations = append(mine.integrations, i)
		sorted[i.TenantID] = mine
	}
	return sorted, nil
}

func (f *feed) tell(byTenant map[uuid.UUID]changes) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		mine, ok := byTenant[l.tenant]
		if !ok {
			continue
		}
		select {
		case l.ch <- mine:
		default:
			f.drop(l)
		}
	}
}
