package rules

// Counters are a run's records_… columns. Seen = Created + Updated + Unchanged + Failed at every commit; Deleted stands
// beside them. They are committed with what they count.
type Counters struct {
	Seen, Created, Updated, Unchanged, Deleted, Failed int64
}

// Count counts a record of a page. mine is its Row.Mine (false without a row); restarted says that the run has dropped
// a walk, so that an unchanged row of its own was already counted when it was written. It reports whether the record
// now stands as unchanged, which an asked id remembers for Confirmed until it is asked or its walk restarts.
func (c *Counters) Count(v Verdict, mine, restarted bool) (unchanged bool) {
	switch v {
	case Create:
		c.Seen++
		c.Created++
	case Update, Lift:
		c.Seen++
		c.Updated++
	case Unchanged, Touch, Ask:
		if mine && restarted {
			return false
		}
		c.Seen++
		c.Unchanged++
		return true
	case AskDeleted, Ignore, Tombstone, TombstoneUnknown: // not a live record of a page
	}
	return false
}

// Fail counts a record that went to quarantine.
func (c *Counters) Fail() {
	c.Seen++
	c.Failed++
}

// Confirmed counts what a confirming read of this run did. A changed record moves from unchanged to updated if it stands
// there (unchanged, as Count reported it in the present walk); one that no page counted becomes seen, unless the run
// has written it before (mine, its Row.Mine before this read).
func (c *Counters) Confirmed(v Verdict, unchanged, mine bool) {
	switch {
	case v == Tombstone:
		c.Deleted++
	case !v.Stores():
	case unchanged:
		c.Unchanged--
		c.Updated++
	case !mine:
		c.Count(v, mine, false)
	}
}

// Restart drops what the walk so far has counted, except what it wrote: those rows are met again as unchanged.
func (c *Counters) Restart() {
	c.Seen, c.Unchanged, c.Failed = c.Created+c.Updated, 0, 0
}
