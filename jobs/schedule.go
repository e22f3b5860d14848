package jobs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule is when an integration syncs by itself.
type Schedule struct{ spec cron.Schedule }

// shortestInterval is the least time between two ticks.
const shortestInterval = time.Minute

// ErrTooOften says that a schedule has more than one tick a minute.
var ErrTooOften = errors.New("a schedule may have one tick a minute at most")

// ParseSchedule reads a cron expression of five fields, with CRON_TZ=<zone> before it if it isn't meant in UTC, or
// "@every 15m", "@hourly", "@daily" and the like.
func ParseSchedule(text string) (Schedule, error) {
	if _, rest, zoned := strings.Cut(text, "TZ="); zoned && !strings.Contains(rest, " ") {
		return Schedule{}, errors.New("read schedule: after the time zone, it must say when") // the parser panics
	}
	spec, err := cron.ParseStandard(text)
	if err != nil {
		return Schedule{}, fmt.Errorf("read schedule: %w", err)
	}
	if every, ok := spec.(cron.ConstantDelaySchedule); ok && every.Delay < shortestInterval {
		return Schedule{}, ErrTooOften
	}
	return Schedule{spec}, nil
}

// Next is the first tick after a time; zero if there is none.
func (s Schedule) Next(after time.Time) time.Time { return s.spec.Next(after.UTC()) }

// jitterShare and mostJitter bound how much later than its tick an integration is due: after a downtime, or at the full
// hour, not everybody comes at once.
const (
	jitterShare = 10 // a tenth of the interval
	mostJitter  = time.Minute
)

// NextWithJitter is the first tick after a time, a little later for each integration.
func (s Schedule) NextWithJitter(after time.Time) time.Time {
	next := s.Next(after)
	if next.IsZero() {
		return next
	}
	return next.Add(rand.N(min(next.Sub(after)/jitterShare, mostJitter) + 1)) //nolint:gosec // a spread, not a secret
}

// mostMissed bounds the count of missed ticks: more are said as that many.
const mostMissed = 10_000

// Missed counts the ticks after the due one that have passed unseen.
func (s Schedule) Missed(due, now time.Time) (n int) {
	for at := s.Next(due); !at.IsZero() && !at.After(now) && n < mostMissed; at = s.Next(at) {
		n++
	}
	return n
}
