package rules

import "time"

// Verdict is what a read does to a stored row.
type Verdict int

const (
	// Unchanged writes nothing.
	Unchanged Verdict = iota
	// Touch writes observed_at alone. A confirming read that finds nothing new must leave this trace: else a sweep's
	// "gone", read before a restore, could be committed after the webhook's "alive".
	Touch
	// Create inserts the row.
	Create
	// Update writes the record over a live row.
	Update
	// Lift writes the record over a tombstone and takes deleted_at away.
	Lift
	// Ask says that this read can't tell. After a page, the id goes on the run's list and is read by itself after the
	// walk; after a confirming read, it is read again, at most Rereads times.
	Ask
	// AskDeleted is Ask for a deleted record in a page, which is not counted as seen.
	AskDeleted
	// Ignore is for a deleted record in a page that says nothing new. It is neither written nor counted.
	Ignore
	// Tombstone sets deleted_at; content and update time are kept, for the day the record comes back.
	Tombstone
	// TombstoneUnknown inserts an empty tombstone for an id that was never stored, so that a page which still lists the
	// record a moment later does not bring it to life.
	TombstoneUnknown
)

var verdicts = [...]string{
	Unchanged: "unchanged", Touch: "touch", Create: "create", Update: "update", Lift: "lift", Ask: "ask",
	AskDeleted: "ask deleted", Ignore: "ignore", Tombstone: "tombstone", TombstoneUnknown: "tombstone unknown",
}

func (v Verdict) String() string { return verdicts[v] }

// Asks reports whether a confirming read must decide.
func (v Verdict) Asks() bool { return v == Ask || v == AskDeleted }

// Stores reports whether the record's content is written: such a row takes the run's id and Read.ObservedAt.
func (v Verdict) Stores() bool { return v == Create || v == Update || v == Lift }

// Apply decides what a record does to its row; row is nil where the store has none.
//
// The order is that of reads before that of the provider's times, because those go back (another server's clock, a
// restored backup), vanish (a field is hidden) and tie (whole seconds). A record that a page holds twice is applied
// once, the later one.
func Apply(row *Row, rec Record, read Read, kind Kind) Verdict {
	switch {
	case rec.Deleted && kind == Confirm:
		return Gone(row, read)
	case rec.Deleted:
		return hintDeleted(row, read)
	case row == nil:
		return Create
	case row.Deleted:
		return applyToTombstone(row, read, kind)
	case sameAs(row, rec) && kind == Confirm && read.later(row):
		return Touch
	case sameAs(row, rec):
		return Unchanged
	case kind == Confirm:
		return laterOr(row, read, Update, Ask)
	}
	return applyPage(row, rec, read)
}

// Gone decides what a confirming read does that found the record absent or deleted. It is the only way to a tombstone:
// a deleted feed, a delete webhook or is_deleted in a page may be behind a restore, and merely ask for one.
func Gone(row *Row, read Read) Verdict {
	switch {
	case row == nil:
		return TombstoneUnknown
	case row.Deleted && read.ObservedAt().After(row.ObservedAt):
		return Touch
	case row.Deleted:
		return Unchanged
	}
	return laterOr(row, read, Tombstone, Ask)
}

// hintDeleted is a deleted record in a page: only of a live row, and only if no later read is stored, is it worth a call.
func hintDeleted(row *Row, read Read) Verdict {
	if row == nil || row.Deleted {
		return Ignore
	}
	return laterOr(row, read, AskDeleted, Ignore)
}

// applyToTombstone: a late list still shows a record minutes after its delete, so a page lifts only old tombstones. A
// younger one is asked even by a page that its read overlaps: the record may have been restored between the two. The
// update time has no say: a restore may bring the old one back.
func applyToTombstone(row *Row, read Read, kind Kind) Verdict {
	if kind == Confirm {
		return laterOr(row, read, Lift, Ask)
	}
	if read.muchLater(row) {
		return Lift
	}
	return Ask
}

// applyPage is a live record in a page that differs from its live row.
func applyPage(row *Row, rec Record, read Read) Verdict {
	switch updated := stored(rec.UpdatedAt); {
	case read.muchLater(row):
		return Update // also with an older time
	case updated.IsZero() || row.UpdatedAt.IsZero():
		return Ask
	case !updated.Before(row.UpdatedAt): // at an equal time, an overlapping read may have stored the first of two edits
		return laterOr(row, read, Update, Ask)
	}
	return Unchanged
}

// sameAs: a moved time alone is a change and is stored like one.
func sameAs(row *Row, rec Record) bool {
	return row.Hash == rec.Hash && row.UpdatedAt.Equal(stored(rec.UpdatedAt))
}

// stored is a provider's time as Postgres gives it back; without this a finer one would be a change for ever.
func stored(t time.Time) time.Time { return t.Truncate(time.Microsecond) }

func laterOr(row *Row, read Read, later, otherwise Verdict) Verdict {
	if read.later(row) {
		return later
	}
	return otherwise
}
