package providers

import (
	"cmp"
	"time"
)

// Take takes over what a newer answer says of limits; what it cost is not of them.
func (u *Usage) Take(newer Usage) {
	if newer.BurstLimit != nil {
		u.BurstLimit, u.BurstWindow = newer.BurstLimit, newer.BurstWindow
	}
	u.DailyLimit, u.DailyRemaining = cmp.Or(newer.DailyLimit, u.DailyLimit), cmp.Or(newer.DailyRemaining, u.DailyRemaining)
}

// UsageHeaders names the headers by which a provider tells of limits, each a whole number; an empty name: there is none.
type UsageHeaders struct {
	BurstLimit     string
	BurstRemaining string
	BurstInterval  string        // of [Usage.BurstWindow], in milliseconds
	BurstWindow    time.Duration // where no header tells it
	DailyLimit     string
	DailyRemaining string
}

// read is what an answer says, beside what was known: silence is silence, and a window without a limit is none.
func (h UsageHeaders) read(answer *Answer, known Usage) Usage {
	u := known
	u.BurstLimit, u.BurstRemaining = cmp.Or(answer.Number(h.BurstLimit), u.BurstLimit), answer.Number(h.BurstRemaining)
	u.DailyLimit, u.DailyRemaining = answer.Number(h.DailyLimit), answer.Number(h.DailyRemaining)
	if u.BurstLimit != nil && u.BurstWindow == 0 {
		u.BurstWindow = h.BurstWindow
	}
	if ms := answer.Number(h.BurstInterval); ms != nil {
		u.BurstWindow = time.Duration(*ms) * time.Millisecond
	}
	return u
}
