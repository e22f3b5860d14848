package rules_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/store/rules"
)

func TestCount(t *testing.T) {
	t.Parallel()

	one := rules.Counters{Seen: 1, Unchanged: 1}
	for name, c := range map[string]struct {
		verdict         rules.Verdict
		mine, restarted bool
		want            rules.Counters
		unchanged       bool
	}{
		"created":                       {rules.Create, false, false, rules.Counters{Seen: 1, Created: 1}, false},
		"updated":                       {rules.Update, false, false, rules.Counters{Seen: 1, Updated: 1}, false},
		"a lifted tombstone is updated": {rules.Lift, false, false, rules.Counters{Seen: 1, Updated: 1}, false},
		"unchanged":                     {rules.Unchanged, false, false, one, true},
		"asked stands as unchanged until it is known": {rules.Ask, false, false, one, true},
		"its own row met twice in one walk":           {rules.Unchanged, true, false, one, true},
		"its own row, counted before the restart":     {rules.Unchanged, true, true, rules.Counters{}, false},
		"another's row after the restart":             {rules.Unchanged, false, true, one, true},
		"its own row, written again":                  {rules.Update, true, true, rules.Counters{Seen: 1, Updated: 1}, false},
		"a deleted record in a page is not seen":      {rules.AskDeleted, false, false, rules.Counters{}, false},
		"one that says nothing new neither":           {rules.Ignore, false, false, rules.Counters{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var counters rules.Counters
			require.Equal(t, c.unchanged, counters.Count(c.verdict, c.mine, c.restarted))
			require.Equal(t, c.want, counters)
		})
	}
}

func TestConfirmed(t *testing.T) {
	t.Parallel()

	before := rules.Counters{Seen: 3, Created: 1, Updated: 1, Unchanged: 1}
	for name, c := range map[string]struct {
		verdict         rules.Verdict
		unchanged, mine bool
		want            rules.Counters
	}{
		"a changed record moves from unchanged to updated": {rules.Update, true, false, rules.Counters{Seen: 3, Created: 1, Updated: 2}},
		"a lifted tombstone that a page counted":           {rules.Lift, true, false, rules.Counters{Seen: 3, Created: 1, Updated: 2}},
		"one that no page counted becomes seen":            {rules.Update, false, false, rules.Counters{Seen: 4, Created: 1, Updated: 2, Unchanged: 1}},
		"one that no page counted and nobody had":          {rules.Create, false, false, rules.Counters{Seen: 4, Created: 2, Updated: 1, Unchanged: 1}},
		"one that the run has written before is counted":   {rules.Update, false, true, before},
		"a tombstone is deleted":                           {rules.Tombstone, true, false, rules.Counters{Seen: 3, Created: 1, Updated: 1, Unchanged: 1, Deleted: 1}},
		"an empty tombstone deletes nothing":               {rules.TombstoneUnknown, false, false, before},
		"a trace counts nothing":                           {rules.Touch, true, false, before},
		"to be read again counts nothing":                  {rules.Ask, true, false, before},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			counters := before
			counters.Confirmed(c.verdict, c.unchanged, c.mine)
			require.Equal(t, c.want, counters)
		})
	}
}

// TestRestart is the counterexample: two records, the cursor expires after the first; created 2, unchanged 1, seen 2.
func TestRestart(t *testing.T) {
	t.Parallel()

	var c rules.Counters
	c.Count(rules.Create, false, false)
	c.Fail()
	c.Count(rules.Unchanged, false, false)
	require.Equal(t, rules.Counters{Seen: 3, Created: 1, Unchanged: 1, Failed: 1}, c)
	c.Restart()
	require.Equal(t, rules.Counters{Seen: 1, Created: 1}, c)
	c.Count(rules.Unchanged, true, true)
	c.Count(rules.Create, false, true)
	require.Equal(t, rules.Counters{Seen: 2, Created: 2}, c)
}
