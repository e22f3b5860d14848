package words

import "time"

// Args are the values that a text may name. A zero value is a missing one; for
// numbers, where 0 is a value, nil is. Nobody has to know which of them a text
// uses: pass what is known.
type Args struct {
	// Now decides what "today", "tomorrow" and "3 min ago" mean. Zone is the
	// reader's; without one, times are in UTC and say so.
	Now  time.Time
	Zone *time.Location

	Provider string // the provider's title: Pipedrive
	Account  string // external account name
	Name     string // a person, a permission, a key, a template: as the text says
	To       string // a phone number as it stands
	Field    string
	Limit    string // with its unit, already written: "60", "10 MB"
	What     string // one of our own phrases, from Phrase
	Detail   string // the provider's own words, raw: Redact is applied here
	Schedule string // cron expression or "@every 15m", said in words
	State    string
	Title    string
	Tenant   string
	Button   string
	Link     string
	Hint     string

	More bool // there are more than N: "500+"

	// N is the number of a counted noun; the others are plain numbers.
	N, Count, Live, Total, Missing, Exist, Calls, Rate *int64
	Percent                                            *float64 // 20 is 20 %

	At, Until, Since, AsOf, Ago, Date time.Time
	Duration, ETA                     time.Duration

	CountsMatch bool // a finished run also says "The counts match."
}

// Num makes a number for [Args] from a counter.
func Num[T ~int | ~int32 | ~int64](n T) *int64 {
	return new(int64(n))
}
