package sandbox

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// WebhookSettings say how a provider's webhooks come. Waits and limits are of
// real time, since the receiver's clock is not the one that tests move.
type WebhookSettings struct {
	// WebhookDelayMS is waited before the first attempt of a delivery.
	WebhookDelayMS int `json:"webhook_delay_ms"`
	// WebhookTimeoutMS is how long the receiver may take to answer.
	WebhookTimeoutMS int `json:"webhook_timeout_ms"`
	// WebhookSpeed divides the waits between the attempts of a delivery; 1 keeps
	// those of the provider.
	WebhookSpeed int `json:"webhook_speed"`
	// WebhookConcurrency is how many deliveries are on their way at once, 1 to 10.
	WebhookConcurrency int `json:"webhook_concurrency"`
	// WebhookDuplicates sends each delivery so many times more.
	WebhookDuplicates int `json:"webhook_duplicates"`
	// WebhookShuffle puts each delivery off by up to 200 ms, so that those of one
	// moment come in any order.
	WebhookShuffle bool `json:"webhook_shuffle"`
	// WebhookLoss loses every n-th delivery from when it is set; 0 loses none.
	WebhookLoss int `json:"webhook_loss"`
}

const (
	mostConcurrent = 10
	mostCopies     = 100 // of one delivery, as duplicates or by a replay
	shuffleWindow  = 200 * time.Millisecond
)

func (s WebhookSettings) check() error {
	switch {
	case s.WebhookDelayMS < 0, s.WebhookLoss < 0:
		return errors.New("webhook_delay_ms and webhook_loss must not be negative")
	case s.WebhookTimeoutMS < 1, s.WebhookSpeed < 1:
		return errors.New("webhook_timeout_ms and webhook_speed must be at least 1")
	case s.WebhookConcurrency < 1 || s.WebhookConcurrency > mostConcurrent:
		return errors.New("webhook_concurrency must be 1 to 10")
	case s.WebhookDuplicates < 0 || s.WebhookDuplicates > mostCopies:
		return errors.New("webhook_duplicates must be 0 to 100")
	}
	return nil
}

// WebhookCounts are the deliveries of a provider so far.
type WebhookCounts struct {
	// Sent counts attempts, duplicates and replays included, and Failed those of
	// them that were not answered 2xx in time.
	Sent   int `json:"webhooks_sent"`
	Failed int `json:"webhooks_failed"`
	// Pending are deliveries that are queued, on their way or to be tried again.
	Pending int `json:"webhooks_pending"`
	// Lost are deliveries that never got through and won't be tried again.
	Lost int `json:"webhooks_lost"`
}

// delivery is one webhook. It is rendered anew for each attempt, since some
// providers write the attempt's number or time into it.
type delivery struct {
	url    string
	render func(attempt int) (http.Header, []byte)
	// waits come before the second attempt, the third and so on.
	waits []time.Duration
	// admit is asked when an attempt is due; false loses the delivery. heard is
	// told how an attempt ended, with status 0 for no answer. Either may be nil;
	// they are called without a lock.
	admit func() bool
	heard func(attempt, status int)
}

// dispatch is a delivery's place in the queue.
type dispatch struct {
	*delivery
	attempt int // of this dispatch, from 1
	// copied marks duplicates and replays: one attempt each, which the provider
	// doesn't judge its receiver by.
	copied bool
	due    time.Time
	serial int64
}

// outbox delivers a provider's webhooks in the background, over HTTP. It has
// goroutines only while a delivery is due or on its way. It is safe for
// concurrent use; queueing never waits.
type outbox struct {
	site    *site
	client  *http.Client
	cancel  context.CancelFunc
	start   func() // one more worker
	workers sync.WaitGroup
	alarm   *time.Timer // for the first dispatch that isn't due yet

	mu       sync.Mutex
	settings WebhookSettings
	queue    dispatches
	working  int
	serial   int64
	queued   int // since webhook_loss was set
	draws    uint64
	kept     keptDeliveries
	closed   bool
}

// newOutbox makes the outbox of a provider, which ends with the sandbox.
func newOutbox(s *Sandbox, t *site, settings WebhookSettings) *outbox {
	ctx, cancel := context.WithCancel(context.Background())
	o := &outbox{site: t, cancel: cancel, settings: settings}
	o.client = &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: mostConcurrent, IdleConnTimeout: 5 * time.Second},
		// A receiver that redirects has not received.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	o.start = func() { o.workers.Go(func() { o.work(ctx) }) }
	o.alarm = time.AfterFunc(time.Hour, o.wake)
	o.alarm.Stop()
	s.outboxes = append(s.outboxes, o)
	return o
}

func (o *outbox) configure(settings WebhookSettings) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if settings.WebhookLoss != o.settings.WebhookLoss {
		o.queued = 0
	}
	o.settings = settings
	o.stir()
}

// add queues a delivery, and its duplicates with it.
func (o *outbox) add(d *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.queued++
	if n := o.settings.WebhookLoss; n > 0 && o.queued%n == 0 {
		o.site.count(func(t *tally) { t.Lost++ })
		return
	}
	for i := range 1 + o.settings.WebhookDuplicates {
		o.push(&dispatch{delivery: d, attempt: 1, copied: i > 0}, time.Duration(o.settings.WebhookDelayMS)*time.Millisecond)
	}
	o.stir()
}

// push queues a dispatch that was not pending before. o.mu is held.
func (o *outbox) push(d *dispatch, wait time.Duration) {
	if o.settings.WebhookShuffle {
		o.draws++
		wait += time.Duration(mix(o.draws) % uint64(shuffleWindow))
	}
	o.site.count(func(t *tally) { t.Pending++ })
	o.place(d, wait)
}

func (o *outbox) place(d *dispatch, wait time.Duration) {
	o.serial++
	d.due, d.serial = time.Now().Add(wait), o.serial
	heap.Push(&o.queue, d)
}

func (o *outbox) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stir()
}

// stir starts a worker if something is due and one may start, which then does
// the same for the next; or it sets the alarm. o.mu is held.
func (o *outbox) stir() {
	if o.closed || len(o.queue) == 0 || o.working >= o.settings.WebhookConcurrency {
		return
	}
	if wait := time.Until(o.queue[0].due); wait > 0 {
		o.alarm.Reset(wait)
		return
	}
	o.working++
	o.start()
}

func (o *outbox) work(ctx context.Context) {
	for d := o.take(); d != nil; d = o.take() {
		o.try(ctx, d)
	}
}

// take is the next dispatch that is due; nil ends the worker that asked.
func (o *outbox) take() *dispatch {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.stir()
	if o.closed || len(o.queue) == 0 || o.working > o.settings.WebhookConcurrency || o.queue[0].due.After(time.Now()) {
		o.working--
		return nil
	}
	return heap.Pop(&o.queue).(*dispatch)
}

// try makes an attempt of a delivery and settles what comes of it.
func (o *outbox) try(ctx context.Context, d *dispatch) {
	if d.admit != nil && !d.admit() {
		o.settle(d, false)
		return
	}
	if d.attempt == 1 && !d.copied {
		o.keep(d.delivery)
	}
	status := o.send(ctx, d)
	if ctx.Err() != nil {
		return // the sandbox closed, which is not the receiver's fault
	}
	delivered := status >= 200 && status <= 299
	o.site.count(func(t *tally) {
		t.Sent++
		if !delivered {
			t.Failed++
		}
	})
	if !d.copied && d.heard != nil {
		d.heard(d.attempt, status)
	}
	if !delivered && !d.copied && d.attempt <= len(d.waits) {
		o.again(d)
		return
	}
	o.settle(d, delivered)
}

// send posts a delivery and returns the answer's status, 0 if there was none.
func (o *outbox) send(ctx context.Context, d *dispatch) int {
	o.mu.Lock()
	limit := time.Duration(o.settings.WebhookTimeoutMS) * time.Millisecond
	o.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	header, body := d.render(d.attempt)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header = header
	response, err := o.client.Do(r)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection can be used again
	return response.StatusCode
}

// again queues the next attempt of a delivery.
func (o *outbox) again(d *dispatch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	wait := d.waits[d.attempt-1] / time.Duration(o.settings.WebhookSpeed)
	d.attempt++
	o.place(d, wait)
	o.stir()
}

// settle ends a dispatch.
func (o *outbox) settle(d *dispatch, delivered bool) {
	o.site.count(func(t *tally) {
		t.Pending--
		if !delivered && !d.copied {
			t.Lost++
		}
	})
}

// close drops what is queued, breaks off what is on its way and returns when no
// goroutine is left. It may be called more than once.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.queue = nil
	o.mu.Unlock()
	o.alarm.Stop()
	o.cancel()
	o.workers.Wait()
	o.client.CloseIdleConnections()
	o.site.count(func(t *tally) { t.Pending = 0 })
}

// dispatches is a heap: the first due comes first, else the first queued.
type dispatches []*dispatch

func (q dispatches) Len() int { return len(q) }

func (q dispatches) Less(i, j int) bool {
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].serial < q[j].serial
}

func (q dispatches) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is of heap.Interface.
func (q *dispatches) Push(d any) { *q = append(*q, d.(*dispatch)) }

// Pop is of heap.Interface.
func (q *dispatches) Pop() any {
	last := len(*q) - 1
	d := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return d
}
