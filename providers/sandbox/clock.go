package sandbox

import (
	"sync/atomic"
	"time"
)

// clock is the providers' time: a source and an offset that tests move.
type clock struct {
	source func() time.Time
	offset atomic.Int64 // nanoseconds
}

func newClock(source func() time.Time) *clock {
	if source == nil {
		source = time.Now
	}
	return &clock{source: source}
}

func (c *clock) now() time.Time {
	return c.source().Add(time.Duration(c.offset.Load())).UTC()
}

func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }
