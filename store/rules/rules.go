// Package rules decides what a sync concludes from what it read: what a record does to its stored row, which window an
// incremental covers and where its walk ends, what a finished sweep may delete, and how all of it is counted.
//
// Every decision is a function of its arguments: no clock, no database, no provider. Package store reads the rows and
// writes what is decided here, package worker fetches the pages; neither decides anything about order, liveness or
// absence by itself. That is what lets this package's model test put the same functions through a million random
// schedules of an account that changes while it is read.
//
// All times of reads are the database's, taken as its now() at the start of a slice plus the process's monotonic clock
// since then: workers' wall clocks five minutes apart let a deleted record come back. All functions are safe for
// concurrent use; the one type with state, Counters, belongs to one run.
package rules

import "time"

// Overlap is how far an incremental looks back behind the end of the last window, and how much later than the stored
// read a page must have been asked for to be believed whatever the update times say. Lists of some providers show a
// change minutes late; one that is later than this is found by the next sweep.
const Overlap = 15 * time.Minute

// Rereads is how often a confirming read is made at most while each of them is overlapped by another reader.
const Rereads = 5

// Kind says how a record was read.
type Kind int

const (
	// Page is a page of a list: possibly minutes behind, and silent about what it leaves out.
	Page Kind = iota
	// Confirm is a confirming read: the record alone, by its id. It is current by nature.
	Confirm
)

// Record is what an answer says of one record.
type Record struct {
	Deleted   bool      // the provider itself calls it deleted (is_deleted)
	Hash      [32]byte  // of the content, the update time left out
	UpdatedAt time.Time // the provider's; zero: it tells none
}

// Row is what the store has of a record.
type Row struct {
	Deleted    bool // a tombstone
	Hash       [32]byte
	UpdatedAt  time.Time // the provider's; zero: it told none
	ObservedAt time.Time // Read.ObservedAt of the read that is stored
	Mine       bool      // last written by the run that asks
}

// Read is when a request began and when its answer was complete, by the database's clock.
type Read struct {
	Begun, Done time.Time
}

// ObservedAt is what a row stores of this read whenever one of its columns is written. It is the time of the answer,
// not of the request: begin times don't order reads that overlap. It is rounded up to the microsecond that Postgres
// keeps, so that rounding never makes an overlapping read look later.
func (r Read) ObservedAt() time.Time {
	t := r.Done.Truncate(time.Microsecond)
	if t.Before(r.Done) {
		t = t.Add(time.Microsecond)
	}
	return t
}

// later reports whether this read began after the stored one was answered, so that it can only show the same or newer.
func (r Read) later(row *Row) bool { return !r.Begun.Before(row.ObservedAt) }

// muchLater reports whether it began so long after it that not even a late list shows anything older.
func (r Read) muchLater(row *Row) bool { return !r.Begun.Before(row.ObservedAt.Add(Overlap)) }
