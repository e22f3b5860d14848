package api

import (
	"context"
	"sync"
	"time"

	"example.com/enlace/jobs"
	"example.com/enlace/store"
)

const (
	deliveriesAtOnce = 100
	bytesAtOnce      = 8 << 20 // of their bodies
	receiveLimit     = 5 * time.Second
)

// inbox puts deliveries into the store, those that come while a transaction is under way in the next one together: a
// flood then costs as few commits as the database can take. Safe for concurrent use.
type inbox struct {
	jobs *jobs.Client

	mu      sync.Mutex
	waiting []*arrival
	busy    bool // a goroutine stores what waits
}

// arrival is a delivery that its sender waits with.
type arrival struct {
	delivery store.Delivery
	leave    func()        // called when it is no longer held
	done     chan struct{} // closed when the two below are set
	receipt  store.Receipt
	err      error
}

// receive returns when the delivery is in the inbox, or was before. It calls leave when the delivery is no longer held,
// which is later if the sender leaves.
func (b *inbox) receive(ctx context.Context, d store.Delivery, leave func()) (store.Receipt, error) {
	a := &arrival{delivery: d, leave: leave, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, a)
	if !b.busy {
		b.busy = true
		go b.work(context.WithoutCancel(ctx)) // for others too, whose senders are still there
	}
	b.mu.Unlock()
	select {
	case <-a.done:
		return a.receipt, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// work stores what waits until nothing does.
func (b *inbox) work(ctx context.Context) {
	for list := b.next(); len(list) > 0; list = b.next() {
		b.store(ctx, list)
	}
}

func (b *inbox) next() []*arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, size := 0, 0
	for n < len(b.waiting) && n < deliveriesAtOnce && (n == 0 || size+len(b.waiting[n].delivery.Body) <= bytesAtOnce) {
		size += len(b.waiting[n].delivery.Body)
		n++
	}
	list := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	b.busy = n > 0
	return list
}

// store puts deliveries into the inbox together; if that fails, one by one, so that none answers for another.
func (b *inbox) store(ctx context.Context, list []*arrival) {
	ctx, cancel := context.WithTimeout(ctx, receiveLimit)
	defer cancel()
	deliveries := make([]store.Delivery, len(list))
	for i, a := range list {
		deliveries[i] = a.delivery
	}
	receipts, err := b.jobs.Receive(ctx, deliveries)
	if err != nil && len(list) > 1 && ctx.Err() == nil && !databaseAway(err) {
		for _, a := range list {
			b.store(ctx, []*arrival{a})
		}
		return
	}
	for i, a := range list {
		if a.err = err; err == nil {
			a.receipt = receipts[i]
		}
		close(a.done)
		a.leave()
	}
}
