package providers

import "time"

// UsageHeaders names the headers by which a provider tells of limits, each a whole number; an empty name: there is none.
type UsageHeaders struct {
	BurstLimit     string
	BurstRemaining string
	BurstInterval  string        // of [Usage.BurstWindow], in milliseconds
	BurstWindow    time.Duration // where no header tells it
	DailyLimit     string
	DailyRemaining string
}

// read is what an answer says: silence is silence, and a window without a limit is none.
func (h UsageHeaders) read(answer *Answer) Usage {
	u := Usage{
		BurstLimit: answer.Number(h.BurstLimit), BurstRemaining: answer.Number(h.BurstRemaining),
		DailyLimit: answer.Number(h.DailyLimit), DailyRemaining: answer.Number(h.DailyRemaining),
	}
	if u.BurstLimit != nil {
		u.BurstWindow = h.BurstWindow
	}
	if ms := answer.Number(h.BurstInterval); ms != nil {
		u.BurstWindow = time.Duration(*ms) * time.Millisecond
	}
	return u
}
