package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/enlace/store"
)

// underLease works while a lease is renewed, every so often, and ends the work when it is lost: the error is then
// [store.ErrLost], whatever the work says of its end.
func underLease(ctx context.Context, every time.Duration, renew, work func(ctx context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		keepLease(ctx, every, renew, stop)
	}()
	err := work(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, store.ErrLost) {
		err = cause
	}
	stop(nil)
	<-kept
	return err
}

// keepLease renews until ctx ends, and stops it when the lease is lost. What else goes wrong is tried again.
func keepLease(ctx context.Context, every time.Duration, renew func(ctx context.Context) error, stop context.CancelCauseFunc) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := renew(ctx); errors.Is(err, store.ErrLost) {
			stop(fmt.Errorf("renew: %w", err))
			return
		}
	}
}
