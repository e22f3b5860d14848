package rules_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/store/rules"
)

// mutation takes one rule back, so that a schedule must break. from is the first seed that is tried: 1, or where breaks
// are rare a little before one that is known to.
type mutation struct {
	mix    mix
	from   uint64
	mutate func(*decisions)
}

// patience is how many schedules a mutation may survive.
const patience = 3000

// TestModelBites takes each rule back alone. Where no schedule broke, the rule would be superstition or the model blind.
func TestModelBites(t *testing.T) {
	t.Parallel()

	for name, m := range map[string]mutation{
		"the lower bound is not before the watermark − 2 min": {random, 1, func(d *decisions) {
			d.lower = func(windowEnd, watermark time.Time) (time.Time, bool) {
				lower, sweep := rules.Lower(windowEnd, watermark)
				if back := watermark.Add(-2 * time.Minute); !sweep && !watermark.IsZero() && lower.Before(back) {
					lower = back
				}
				return lower, sweep
			}
		}},
		"an older time never wins": {random, 1, onApply(func(row *rules.Row, rec rules.Record, _ rules.Read, _ rules.Kind, v rules.Verdict) rules.Verdict {
			if v == rules.Update && !rec.UpdatedAt.IsZero() && rec.UpdatedAt.Before(row.UpdatedAt) {
				return rules.Unchanged
			}
			return v
		})},
		"the update time decides about life": {random, 1, onApply(func(row *rules.Row, rec rules.Record, _ rules.Read, _ rules.Kind, v rules.Verdict) rules.Verdict {
			if v == rules.Lift && rec.UpdatedAt.Before(row.UpdatedAt) {
				return rules.Unchanged
			}
			return v
		})},
		"a page lifts a fresh tombstone": {random, 1, onApply(func(row *rules.Row, _ rules.Record, _ rules.Read, kind rules.Kind, v rules.Verdict) rules.Verdict {
			if v == rules.Ask && kind == rules.Page && row.Deleted {
				return rules.Lift
			}
			return v
		})},
		"a missing time is compared like a time": {random, 1, onApply(func(row *rules.Row, rec rules.Record, read rules.Read, kind rules.Kind, v rules.Verdict) rules.Verdict {
			if v != rules.Ask || kind != rules.Page || row.Deleted {
				return v
			}
			switch later := !read.Begun.Before(row.ObservedAt); {
			case rec.UpdatedAt.IsZero() && !row.UpdatedAt.IsZero():
				return rules.Unchanged
			case row.UpdatedAt.IsZero() && later:
				return rules.Update
			}
			return v
		})},
		"a confirming read leaves no trace": {dense, 1, func(d *decisions) {
			onApply(func(_ *rules.Row, _ rules.Record, _ rules.Read, _ rules.Kind, v rules.Verdict) rules.Verdict {
				return untouched(v)
			})(d)
			d.gone = func(row *rules.Row, read rules.Read) rules.Verdict { return untouched(rules.Gone(row, read)) }
		}},
		"is_deleted in a page is believed": {dense, 1, onApply(func(_ *rules.Row, _ rules.Record, _ rules.Read, _ rules.Kind, v rules.Verdict) rules.Verdict {
			if v == rules.AskDeleted {
				return rules.Tombstone
			}
			return v
		})},
		"an unknown id found gone is forgotten": {random, 9601, func(d *decisions) {
			d.gone = func(row *rules.Row, read rules.Read) rules.Verdict {
				if row == nil {
					return rules.Unchanged
				}
				return rules.Gone(row, read)
			}
		}},
		"reads are ordered by their begin": {random, 24001, func(d *decisions) {
			d.observedAt = func(r rules.Read) time.Time { return r.Begun }
		}},
		"a moved time alone is no change": {dense, 29301, onApply(func(row *rules.Row, rec rules.Record, _ rules.Read, _ rules.Kind, v rules.Verdict) rules.Verdict {
			if v == rules.Update && rec.Hash == row.Hash {
				return rules.Unchanged
			}
			return v
		})},
		"a Date is believed however far ahead": {random, 1, func(d *decisions) {
			d.upper = func(date, now time.Time) time.Time {
				if date.IsZero() {
					return rules.Upper(date, now)
				}
				return date
			}
		}},
		"without a Date the window ends 5 min ago": {random, 41801, func(d *decisions) {
			d.upper = func(date, now time.Time) time.Time {
				if date.IsZero() {
					return now.Add(-5 * time.Minute)
				}
				return rules.Upper(date, now)
			}
		}},
		"a restarted walk forgets what it wrote": {random, 1, func(d *decisions) {
			d.restart = func(c *rules.Counters) { c.Seen, c.Unchanged = 0, 0 }
		}},
		"a walk over moving rows is believed": {random, 1, func(d *decisions) {
			d.walkAgain = func(bool, bool, int) bool { return false }
		}},
		"an opaque cursor is followed outside of ties, and believed": {random, 1, func(d *decisions) {
			d.asksByTime = func(time.Time, time.Time, bool) bool { return false }
			d.walkAgain = func(bool, bool, int) bool { return false }
		}},
		"a walk by opaque cursor ends early": {random, 1, func(d *decisions) {
			d.asksByTime = func(time.Time, time.Time, bool) bool { return false }
			d.endsAfter = func(page []time.Time, upper time.Time, _ bool) bool { return rules.EndsAfter(page, upper, true) }
		}},
		"a busy account's walk has no end rule": {random, 1, func(d *decisions) {
			d.endsAfter = func([]time.Time, time.Time, bool) bool { return false }
		}},
		"a page that overlaps a tombstone's read says nothing": {overlapped, 1, onApply(func(row *rules.Row, _ rules.Record, read rules.Read, kind rules.Kind, v rules.Verdict) rules.Verdict {
			if kind == rules.Page && row.Deleted && read.Begun.Before(row.ObservedAt) {
				return rules.Unchanged
			}
			return v
		})},
		"at an equal time a page that overlaps says nothing": {overlapped, 1, onApply(func(row *rules.Row, rec rules.Record, read rules.Read, kind rules.Kind, v rules.Verdict) rules.Verdict {
			if kind == rules.Page && !row.Deleted && rec.UpdatedAt.Equal(row.UpdatedAt) && read.Begun.Before(row.ObservedAt) {
				return rules.Unchanged
			}
			return v
		})},
		"a sweep moves the window over opaque cursors": {random, 5_026_901, func(d *decisions) {
			d.windowEnd = func(_, upper time.Time, _ bool, _ rules.Cursors) time.Time { return upper }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			d := product()
			m.mutate(&d)
			ran, failing := search(patience, m.from, d, m.mix)
			require.NotNilf(t, failing, "%d schedules and nothing broke", ran)
			t.Logf("(%s) breaks after %d schedules", simulate(*failing, d).property, ran)
		})
	}
}

// onApply mutates what Apply says of a live record.
func onApply(f func(*rules.Row, rules.Record, rules.Read, rules.Kind, rules.Verdict) rules.Verdict) func(*decisions) {
	return func(d *decisions) {
		d.apply = func(row *rules.Row, rec rules.Record, read rules.Read, kind rules.Kind) rules.Verdict {
			v := rules.Apply(row, rec, read, kind)
			if row == nil {
				return v
			}
			return f(row, rec, read, kind, v)
		}
	}
}

func untouched(v rules.Verdict) rules.Verdict {
	if v == rules.Touch {
		return rules.Unchanged
	}
	return v
}
