package rules

import (
	"slices"
	"time"
)

const (
	// dateLead is how far a provider's Date may be ahead of the database. One that runs further ahead would skip the
	// changes that are still to happen.
	dateLead = 10 * time.Minute
	// dateless is how far upper stays behind the database's clock when no Date says how slow the provider's is.
	dateless = 15 * time.Minute
	// Rewalks is how often an incremental walks its window again at most because records moved while it was read.
	Rewalks = 3
)

// Cursors says what a provider's next-page cursor is in a list by update time.
type Cursors int

const (
	// Positions are places in the order of update times, on live data.
	Positions Cursors = iota
	// Opaque cursors promise nothing: a frozen list, or a count of rows from which an unread one slips past when a read
	// one leaves it.
	Opaque
)

// Lower is the lower bound of an incremental, from the window_end of the last walk that reached its end, or from an
// adopted watermark where there is none (both may be zero). sweep is true when neither is known: the run is then
// executed as a sweep. The watermark of our own runs bounds nothing: in a busy account it is ahead of records that the
// list has yet to show.
func Lower(windowEnd, watermark time.Time) (lower time.Time, sweep bool) {
	switch {
	case !windowEnd.IsZero():
		return windowEnd.Add(-Overlap), false
	case !watermark.IsZero():
		return watermark.Add(-Overlap), false
	}
	return time.Time{}, true
}

// Upper is the end of a run's window, in whole seconds: date is the Date header of the run's first answer (zero: it had
// none), now the database's time when that request began.
func Upper(date, now time.Time) time.Time {
	if date.IsZero() {
		return now.Add(-dateless).Truncate(time.Second)
	}
	if limit := now.Add(dateLead); date.After(limit) {
		date = limit
	}
	return date.Truncate(time.Second)
}

// WindowEnd is the window_end of a run whose walk was committed to its end; old is the one before it (zero: none).
// It may go backwards, which only widens the next window. Where cursors are opaque a sweep leaves the chain of the
// incrementals alone, since it may itself have been slipped past. A run that failed, was cancelled or stopped early
// keeps old and must not ask.
func WindowEnd(old, upper time.Time, sweep bool, cursors Cursors) time.Time {
	if sweep && cursors == Opaque && !old.IsZero() {
		return old
	}
	return upper
}

// Watermark is the largest update time committed, at most upper: what "data fresh as of" shows. committed is zero if
// the run committed no dated record. It never goes back.
func Watermark(old, committed, upper time.Time) time.Time {
	if committed.After(upper) {
		committed = upper
	}
	if committed.After(old) {
		return committed
	}
	return old
}

// Ascending reports whether a page by update time is in order. If it isn't, the provider ignored the sort parameters,
// and the page is an error (invalid_request), never an end: newest first, the first page would end the walk and the
// rest of the window be lost in a green run.
func Ascending(page []time.Time) bool {
	return slices.IsSortedFunc(page, time.Time.Compare)
}

// EndsAfter reports whether a walk by update time ends after this page, because it holds a record newer than upper:
// so a busy account cannot hold a run for ever. position is true if the page was asked for by a position in that order:
// by a cursor of kind Positions or by a query of our own, not by an opaque cursor, behind which unread older records
// may still come.
func EndsAfter(page []time.Time, upper time.Time, position bool) bool {
	return position && slices.ContainsFunc(page, upper.Before)
}

// AsksByTime reports whether the page after this one is asked for by a new query from last, the update time of this
// page's last record, instead of by its opaque cursor. asked is the lower bound that this page was asked from. Only a
// tie longer than a page, which such a query would never leave, is walked by cursor; and then to the list's end.
func AsksByTime(asked, last time.Time, byCursor bool) bool {
	return !byCursor && last.After(asked)
}

// WalkAgain reports whether an incremental must walk its window again before it is believed: an opaque cursor was used
// (byCursor) and records moved meanwhile, that is, one was met twice or FeedEntry says so. rewalks counts the times it
// already did.
func WalkAgain(byCursor, moved bool, rewalks int) bool {
	return byCursor && moved && rewalks < Rewalks
}

// FeedEntry decides about an entry of a provider's deleted feed, read after the walk: whether its id is asked, and
// whether the list moved under the walk. row is nil where the store has none; first is when the run's first call began.
func FeedEntry(row *Row, first time.Time) (ask, moved bool) {
	switch {
	case row == nil:
		return false, false
	case row.Deleted: // new to us if a webhook was quicker than the run
		return false, !row.ObservedAt.Before(first)
	}
	return true, true
}
