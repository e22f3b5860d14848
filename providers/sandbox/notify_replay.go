package sandbox

import (
	"context"
	"errors"
)

// keptLength is how many deliveries a replay can bring back: the last ones.
const keptLength = 20_000

// keptDeliveries is a ring of what was sent at least once.
type keptDeliveries struct {
	list []*delivery
	next int // the oldest, once the ring is full
}

func (k *keptDeliveries) add(d *delivery) {
	if len(k.list) < keptLength {
		k.list = append(k.list, d)
		return
	}
	k.list[k.next] = d
	k.next = (k.next + 1) % keptLength
}

// inOrder copies the deliveries, oldest first.
func (k *keptDeliveries) inOrder() []*delivery {
	list := make([]*delivery, 0, len(k.list))
	list = append(list, k.list[k.next:]...)
	return append(list, k.list[:k.next]...)
}

func (o *outbox) keep(d *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept.add(d)
}

// replay queues all kept deliveries so many times more, each time in the order
// of their first attempts, or all of them shuffled. It asks nobody whether they
// may go, and returns how many were queued.
func (o *outbox) replay(times int, shuffle bool) (int, error) {
	if times < 1 || times > mostCopies {
		return 0, errors.New("times must be 1 to 100")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0, errors.New("the sandbox is closed")
	}
	kept := o.kept.inOrder()
	list := make([]*delivery, 0, times*len(kept))
	for range times {
		list = append(list, kept...)
	}
	for i := len(list) - 1; shuffle && i > 0; i-- {
		o.draws++
		j := int(mix(o.draws) % uint64(i+1)) //nolint:gosec // an index of the list
		list[i], list[j] = list[j], list[i]
	}
	for _, d := range list {
		bare := *d
		bare.admit = nil
		o.push(&dispatch{delivery: &bare, attempt: 1, copied: true}, 0)
	}
	o.stir()
	return len(list), nil
}

// replayAction is POST …/replay.
func (o *outbox) replayAction(_ context.Context, body []byte) (any, error) {
	asked := struct {
		Times   int  `json:"times"`
		Shuffle bool `json:"shuffle"`
	}{Times: 1}
	if err := decodeStrict(body, &asked); err != nil {
		return nil, err
	}
	queued, err := o.replay(asked.Times, asked.Shuffle)
	if err != nil {
		return nil, err
	}
	return map[string]int{"queued": queued}, nil
}
