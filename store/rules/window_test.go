package rules_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/store/rules"
)

func TestLower(t *testing.T) {
	t.Parallel()

	var none time.Time
	for name, c := range map[string]struct {
		windowEnd, watermark, want time.Time
		sweep                      bool
	}{
		"15 min before the last window's end":                     {windowEnd: ten, want: ten.Add(-15 * time.Minute)},
		"a watermark ahead of what lists show yet bounds nothing": {ten, ten.Add(3 * time.Minute), ten.Add(-15 * time.Minute), false},
		"an adopted watermark stands in where there is no window": {none, ten, ten.Add(-15 * time.Minute), false},
		"with neither the run is a sweep":                         {sweep: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			lower, sweep := rules.Lower(c.windowEnd, c.watermark)
			require.Equal(t, c.want, lower)
			require.Equal(t, c.sweep, sweep)
		})
	}
}

func TestUpper(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct{ date, now, want time.Time }{
		"the provider's own clock":                        {ten, ten.Add(5 * time.Second), ten},
		"a provider that is slow":                         {ten.Add(-time.Hour), ten, ten.Add(-time.Hour)},
		"a provider that is 10 min fast":                  {ten.Add(10 * time.Minute), ten, ten.Add(10 * time.Minute)},
		"a Date an hour fast would skip the hour to come": {ten.Add(time.Hour), ten, ten.Add(10 * time.Minute)},
		"without a Date the provider may be 15 min slow":  {time.Time{}, ten, ten.Add(-15 * time.Minute)},
		"whole seconds, as providers stamp":               {time.Time{}, ten.Add(999 * time.Millisecond), ten.Add(-15 * time.Minute)},
		"whole seconds where a Date is cut":               {ten.Add(time.Hour), ten.Add(999 * time.Millisecond), ten.Add(10 * time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, c.want, rules.Upper(c.date, c.now))
		})
	}
}

func TestWindowEnd(t *testing.T) {
	t.Parallel()

	var none time.Time
	later := ten.Add(time.Hour)
	for name, c := range map[string]struct {
		old, upper, want time.Time
		sweep            bool
		cursors          rules.Cursors
	}{
		"an incremental moves it":                          {ten, later, later, false, rules.Positions},
		"also backwards, which only widens":                {later, ten, ten, false, rules.Positions},
		"a sweep moves it where cursors are positions":     {ten, later, later, true, rules.Positions},
		"a sweep by opaque cursors leaves the chain alone": {ten, later, ten, true, rules.Opaque},
		"a sweep by opaque cursors begins the chain":       {none, later, later, true, rules.Opaque},
		"an incremental by opaque cursors moves it":        {ten, later, later, false, rules.Opaque},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, c.want, rules.WindowEnd(c.old, c.upper, c.sweep, c.cursors))
		})
	}
}

func TestWatermark(t *testing.T) {
	t.Parallel()

	var none time.Time
	later := ten.Add(time.Hour)
	for name, c := range map[string]struct{ old, committed, upper, want time.Time }{
		"the largest time committed":       {ten, ten.Add(time.Minute), later, ten.Add(time.Minute)},
		"at most upper":                    {ten, later.Add(time.Minute), later, later},
		"never back":                       {later, ten, later, later},
		"nothing committed, nothing moved": {ten, none, later, ten},
		"nothing ever committed":           {none, none, later, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, c.want, rules.Watermark(c.old, c.committed, c.upper))
		})
	}
}

func TestAscending(t *testing.T) {
	t.Parallel()

	s := time.Second
	for name, c := range map[string]struct {
		page []time.Time
		want bool
	}{
		"an empty page":       {nil, true},
		"one record":          {[]time.Time{ten}, true},
		"oldest first":        {[]time.Time{ten, ten.Add(s), ten.Add(2 * s)}, true},
		"ties":                {[]time.Time{ten, ten, ten.Add(s)}, true},
		"missing times first": {[]time.Time{{}, ten}, true},
		"newest first":        {[]time.Time{ten.Add(s), ten}, false},
		"one out of order":    {[]time.Time{ten, ten.Add(2 * s), ten.Add(s), ten.Add(3 * s)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, c.want, rules.Ascending(c.page))
		})
	}
}

func TestEndsAfter(t *testing.T) {
	t.Parallel()

	s := time.Second
	for name, c := range map[string]struct {
		page     []time.Time
		position bool
		want     bool
	}{
		"all within the window":                              {[]time.Time{ten.Add(-s), ten}, true, false},
		"the first record newer than upper ends it":          {[]time.Time{ten, ten.Add(s)}, true, true},
		"behind an opaque cursor unread ones may still come": {[]time.Time{ten, ten.Add(s)}, false, false},
		"an empty page ends nothing by itself":               {nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, c.want, rules.EndsAfter(c.page, ten, c.position))
		})
	}
}

func TestAsksByTime(t *testing.T) {
	t.Parallel()

	require.True(t, rules.AsksByTime(ten, ten.Add(time.Second), false), "the walk got on")
	require.False(t, rules.AsksByTime(ten, ten, false), "a tie longer than a page")
	require.False(t, rules.AsksByTime(ten, ten.Add(time.Second), true), "a walk by cursor stays one to the list's end")
}

func TestWalkAgain(t *testing.T) {
	t.Parallel()

	require.True(t, rules.WalkAgain(true, true, 2))
	require.False(t, rules.WalkAgain(true, true, 3), "not for ever")
	require.False(t, rules.WalkAgain(true, false, 0), "nothing moved")
	require.False(t, rules.WalkAgain(false, true, 0), "a query by time lets nothing slip")
}

func TestFeedEntry(t *testing.T) {
	t.Parallel()

	first := answered
	earlier, since := tombstone(ten), tombstone(ten)
	earlier.ObservedAt = first.Add(-time.Second)
	for name, c := range map[string]struct {
		row        *rules.Row
		ask, moved bool
	}{
		"a live row is asked, never tombstoned":                  {live(ten), true, true},
		"an id never stored says nothing":                        {nil, false, false},
		"a tombstone from before the run says nothing":           {earlier, false, false},
		"a webhook was quicker, but the list moved all the same": {since, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			ask, moved := rules.FeedEntry(c.row, first)
			require.Equal(t, c.ask, ask)
			require.Equal(t, c.moved, moved)
		})
	}
}
