package rules_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/store/rules"
)

var (
	ten = time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC) // a provider's update time
	a   = [32]byte{'A'}
	b   = [32]byte{'B'}
)

// answered is when the stored read was complete, some time after the record's update.
var answered = ten.Add(20 * time.Minute)

func live(updated time.Time) *rules.Row {
	return &rules.Row{Hash: a, UpdatedAt: updated, ObservedAt: answered}
}

func tombstone(updated time.Time) *rules.Row {
	return &rules.Row{Deleted: true, Hash: a, UpdatedAt: updated, ObservedAt: answered}
}

// begun is a read that began this long after the stored one was answered, and took a second.
func begun(after time.Duration) rules.Read {
	return rules.Read{Begun: answered.Add(after), Done: answered.Add(after + time.Second)}
}

func TestApply(t *testing.T) {
	t.Parallel()

	const (
		before = -time.Millisecond // the reads overlap
		soon   = time.Second
		almost = rules.Overlap - time.Second
		much   = rules.Overlap
	)
	var undatedTime time.Time
	newer, older := ten.Add(time.Second), ten.Add(-2*time.Minute)
	for name, c := range map[string]struct {
		row  *rules.Row
		rec  rules.Record
		read rules.Read
		kind rules.Kind
		want rules.Verdict
	}{
		"a page creates what was never stored":                       {nil, rules.Record{Hash: a, UpdatedAt: ten}, begun(soon), rules.Page, rules.Create},
		"a confirming read creates what was never stored":            {nil, rules.Record{Hash: a}, begun(soon), rules.Confirm, rules.Create},
		"the same again is no write":                                 {live(ten), rules.Record{Hash: a, UpdatedAt: ten}, begun(much), rules.Page, rules.Unchanged},
		"the same again without a time is no write":                  {live(undatedTime), rules.Record{Hash: a}, begun(much), rules.Page, rules.Unchanged},
		"an unchanged confirming read leaves a trace":                {live(ten), rules.Record{Hash: a, UpdatedAt: ten}, begun(0), rules.Confirm, rules.Touch},
		"an unchanged confirming read that overlaps leaves none":     {live(ten), rules.Record{Hash: a, UpdatedAt: ten}, begun(before), rules.Confirm, rules.Unchanged},
		"a moved time alone is a change":                             {live(ten), rules.Record{Hash: a, UpdatedAt: newer}, begun(soon), rules.Page, rules.Update},
		"a finer time than Postgres keeps is no change":              {live(ten), rules.Record{Hash: a, UpdatedAt: ten.Add(999)}, begun(much), rules.Page, rules.Unchanged},
		"the same instant in another zone is no change":              {live(ten), rules.Record{Hash: a, UpdatedAt: ten.In(time.FixedZone("", 3600))}, begun(much), rules.Page, rules.Unchanged},
		"a page brings a newer time":                                 {live(ten), rules.Record{Hash: b, UpdatedAt: newer}, begun(0), rules.Page, rules.Update},
		"a page with a newer time that overlaps asks":                {live(ten), rules.Record{Hash: b, UpdatedAt: newer}, begun(before), rules.Page, rules.Ask},
		"at an equal time the later page wins":                       {live(ten), rules.Record{Hash: b, UpdatedAt: ten}, begun(0), rules.Page, rules.Update},
		"at an equal time a page that overlaps asks":                 {live(ten), rules.Record{Hash: b, UpdatedAt: ten}, begun(before), rules.Page, rules.Ask},
		"an older time in a page is a late list":                     {live(ten), rules.Record{Hash: b, UpdatedAt: older}, begun(almost), rules.Page, rules.Unchanged},
		"an older time 15 min later is a clock set back":             {live(ten), rules.Record{Hash: b, UpdatedAt: older}, begun(much), rules.Page, rules.Update},
		"a time that vanished is asked":                              {live(ten), rules.Record{Hash: b}, begun(almost), rules.Page, rules.Ask},
		"a time that appeared is asked":                              {live(undatedTime), rules.Record{Hash: b, UpdatedAt: ten}, begun(almost), rules.Page, rules.Ask},
		"a time that vanished is believed 15 min later":              {live(ten), rules.Record{Hash: b}, begun(much), rules.Page, rules.Update},
		"a later confirming read wins with an older time":            {live(ten), rules.Record{Hash: b, UpdatedAt: older}, begun(0), rules.Confirm, rules.Update},
		"a later confirming read wins without a time":                {live(ten), rules.Record{Hash: b}, begun(soon), rules.Confirm, rules.Update},
		"a confirming read that overlaps is made again":              {live(ten), rules.Record{Hash: b, UpdatedAt: newer}, begun(before), rules.Confirm, rules.Ask},
		"a restore with its old time is seen by a confirming read":   {tombstone(ten), rules.Record{Hash: a, UpdatedAt: older}, begun(0), rules.Confirm, rules.Lift},
		"a confirming read overlapped by the tombstone's asks":       {tombstone(ten), rules.Record{Hash: a, UpdatedAt: newer}, begun(before), rules.Confirm, rules.Ask},
		"a lagging page does not lift a fresh tombstone":             {tombstone(ten), rules.Record{Hash: a, UpdatedAt: newer}, begun(almost), rules.Page, rules.Ask},
		"a page that overlaps the tombstone's read asks":             {tombstone(ten), rules.Record{Hash: a, UpdatedAt: newer}, begun(before), rules.Page, rules.Ask},
		"a page lifts an old tombstone whatever the time":            {tombstone(ten), rules.Record{Hash: a, UpdatedAt: older}, begun(much), rules.Page, rules.Lift},
		"is_deleted in a page only asks":                             {live(ten), rules.Record{Deleted: true, Hash: a, UpdatedAt: newer}, begun(much), rules.Page, rules.AskDeleted},
		"is_deleted in a page older than the row is ignored":         {live(ten), rules.Record{Deleted: true, Hash: a, UpdatedAt: newer}, begun(before), rules.Page, rules.Ignore},
		"is_deleted of a tombstone is ignored":                       {tombstone(ten), rules.Record{Deleted: true, Hash: a}, begun(much), rules.Page, rules.Ignore},
		"is_deleted of a record never stored is ignored":             {nil, rules.Record{Deleted: true, Hash: a}, begun(much), rules.Page, rules.Ignore},
		"is_deleted in a confirming read is the tombstone":           {live(ten), rules.Record{Deleted: true, Hash: a}, begun(0), rules.Confirm, rules.Tombstone},
		"is_deleted in a confirming read of an unknown id is stored": {nil, rules.Record{Deleted: true}, begun(0), rules.Confirm, rules.TombstoneUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, c.want.String(), rules.Apply(c.row, c.rec, c.read, c.kind).String())
		})
	}
}

func TestGone(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		row  *rules.Row
		read rules.Read
		want rules.Verdict
	}{
		"a live record becomes a tombstone":                       {live(ten), begun(0), rules.Tombstone},
		"a read that the stored one overlaps is made again":       {live(ten), begun(-time.Millisecond), rules.Ask},
		"an id never stored gets an empty tombstone":              {nil, begun(0), rules.TombstoneUnknown},
		"a tombstone confirmed again is younger":                  {tombstone(ten), begun(0), rules.Touch},
		"a tombstone confirmed by an overlapping read is younger": {tombstone(ten), begun(-time.Millisecond), rules.Touch},
		"a tombstone is never made older":                         {tombstone(ten), begun(-time.Second), rules.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, c.want.String(), rules.Gone(c.row, c.read).String())
		})
	}
}

// TestOverlappingReads is the counterexample to begin times: GET 1 begins, GET 2 begins and is answered (alive), delete,
// GET 1 is answered (gone) and commits, GET 2 commits.
func TestOverlappingReads(t *testing.T) {
	t.Parallel()

	gone := rules.Read{Begun: answered.Add(1 * time.Second), Done: answered.Add(4 * time.Second)}
	alive := rules.Read{Begun: answered.Add(2 * time.Second), Done: answered.Add(3 * time.Second)}
	row := live(ten)
	require.Equal(t, rules.Tombstone, rules.Gone(row, gone))
	row.Deleted, row.ObservedAt = true, gone.ObservedAt()
	require.Equal(t, rules.Ask, rules.Apply(row, rules.Record{Hash: a, UpdatedAt: ten}, alive, rules.Confirm))
}

func TestObservedAtIsNeverBeforeTheAnswer(t *testing.T) {
	t.Parallel()

	whole := answered.Add(3 * time.Microsecond)
	require.Equal(t, whole, rules.Read{Done: whole}.ObservedAt())
	require.Equal(t, whole, rules.Read{Done: whole.Add(-1)}.ObservedAt())
	require.Equal(t, whole.Add(time.Microsecond), rules.Read{Done: whole.Add(1)}.ObservedAt())
}

func TestVerdict(t *testing.T) {
	t.Parallel()

	for v, want := range map[rules.Verdict]struct{ asks, stores bool }{
		rules.Unchanged:        {},
		rules.Touch:            {},
		rules.Create:           {stores: true},
		rules.Update:           {stores: true},
		rules.Lift:             {stores: true},
		rules.Ask:              {asks: true},
		rules.AskDeleted:       {asks: true},
		rules.Ignore:           {},
		rules.Tombstone:        {},
		rules.TombstoneUnknown: {},
	} {
		require.Equal(t, want.asks, v.Asks(), v)
		require.Equal(t, want.stores, v.Stores(), v)
	}
}
