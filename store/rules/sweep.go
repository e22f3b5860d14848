package rules

import (
	"slices"
	"time"
)

// SampleSize is how many candidates of a braked sweep are read before anything is concluded.
const SampleSize = 10

// Candidate reports whether a stored row may be concluded deleted from a finished sweep: live, not read since the run's
// first call began (so neither new nor confirmed meanwhile), and met live in no page of the run's last walk. Only a
// confirming read of it decides.
func Candidate(row Row, first time.Time, met bool) bool {
	return !row.Deleted && !met && row.ObservedAt.Before(first)
}

// Braked reports whether n absences of live rows are too many to believe: more than 50 and more than 20 %, or at least
// 5 and more than half. It is asked of all candidates, and again of those whose absence nothing else proves; live
// counts the live rows before anything is deleted, candidates included.
func Braked(n, live int) bool {
	return n > 50 && n*5 > live || n >= 5 && n*2 > live
}

// Sample is at most n of the ids, spread out evenly: neighbours tend to share their fate (one list page that was lost,
// one owner whose records can no longer be seen).
func Sample(ids []string, n int) []string {
	if len(ids) <= n {
		return slices.Clone(ids)
	}
	sample := make([]string, n)
	for i := range sample {
		sample[i] = ids[i*len(ids)/n]
	}
	return sample
}

// Finding is what the confirming read of a candidate found.
type Finding int

const (
	// Alive is a record that the list left out. It is applied like any confirming read.
	Alive Finding = iota
	// Proven is gone, and the provider says so itself (is_deleted, its deleted feed, a delete webhook).
	Proven
	// Unproven is merely absent (404), which is also how a lost permission looks.
	Unproven
)

// Conclusion is what a sweep concludes from absences.
type Conclusion int

const (
	// Proceed with reading the remaining candidates or, when all are read, with the tombstones.
	Proceed Conclusion = iota
	// Incomplete is the list, not the account: nothing is deleted, nobody is asked, the next tick sweeps again.
	Incomplete
	// Hold them until a person confirms or discards (deletions_held).
	Hold
)

// JudgeSample concludes from the sample of a braked sweep: one living record shows that the list was incomplete; else
// one unproven absence stops it.
func JudgeSample(sample []Finding) Conclusion {
	switch {
	case slices.Contains(sample, Alive):
		return Incomplete
	case slices.Contains(sample, Unproven):
		return Hold
	}
	return Proceed
}

// JudgeUnproven concludes about the unproven absences when all candidates have been read: they are tombstoned too
// (Proceed) or held. Proven ones are tombstoned either way.
func JudgeUnproven(n, live int) Conclusion {
	if Braked(n, live) {
		return Hold
	}
	return Proceed
}
