package words

import (
	"fmt"
	"time"
)

// clock writes times for a reader: with their preposition, because the Spanish
// article follows the hour, and no more of the date than the reader needs.
type clock struct {
	lang Lang
	now  time.Time
	zone *time.Location
}

func (c clock) at(t time.Time) string {
	if c.lang == Es {
		return c.spanish("", t)
	}
	return c.english("", "at ", "on ", t)
}

func (c clock) until(t time.Time) string {
	if c.lang == Es {
		return c.spanish("hasta ", t)
	}
	return c.english("until ", "", "", t)
}

func (c clock) since(t time.Time) string {
	if c.lang == Es {
		return c.spanish("desde ", t)
	}
	return c.english("since ", "", "", t)
}

func (c clock) asOf(t time.Time) string {
	if c.lang == Es {
		return c.spanish("hasta ", t)
	}
	return c.english("as of ", "", "", t)
}

// ago counts minutes within the hour and gives the time of day beyond it. A
// time that is still to come, by another clock than ours, is "just now".
func (c clock) ago(t time.Time) string {
	since := c.now.Sub(t)
	switch {
	case c.now.IsZero() || since >= time.Hour:
		return c.at(t)
	case since < time.Minute:
		return pair{"just now", "hace un momento"}.in(c.lang)
	case c.lang == Es:
		return fmt.Sprintf("hace %d min", since/time.Minute)
	default:
		return fmt.Sprintf("%d min ago", since/time.Minute)
	}
}

// date is the day, with its year if that is not the present one.
func (c clock) date(t time.Time) string {
	t = c.local(t)
	months := [12]pair{
		{"Jan", "ene"},
		{"Feb", "feb"},
		{"Mar", "mar"},
		{"Apr", "abr"},
		{"May", "may"},
		{"Jun", "jun"},
		{"Jul", "jul"},
		{"Aug", "ago"},
		{"Sep", "sep"},
		{"Oct", "oct"},
		{"Nov", "nov"},
		{"Dec", "dic"},
	}
	out := fmt.Sprintf("%d %s", t.Day(), months[t.Month()-1].in(c.lang))
	if c.now.IsZero() || t.Year() != c.local(c.now).Year() {
		out += fmt.Sprintf(" %d", t.Year())
	}
	return out
}

// english: "at 14:05", "tomorrow at 14:05", "on 26 Nov at 09:00", each after
// its preposition; hour and day are the words for today's form and a date's.
func (c clock) english(preposition, hour, day string, t time.Time) string {
	switch c.daysFromNow(t) {
	case today:
		return preposition + hour + c.timeOfDay(t)
	case tomorrow:
		return preposition + "tomorrow at " + c.timeOfDay(t)
	case yesterday:
		return preposition + "yesterday at " + c.timeOfDay(t)
	}
	return preposition + day + c.date(t) + " at " + c.timeOfDay(t)
}

// spanish: "a las 14:05" alone, "las 14:05" after a preposition, "mañana a las
// 09:00", "el 26 nov a las 09:00".
func (c clock) spanish(preposition string, t time.Time) string {
	hour := c.spanishHour(t)
	switch c.daysFromNow(t) {
	case today:
		if preposition == "" {
			return "a " + hour
		}
		return preposition + hour
	case tomorrow:
		return preposition + "mañana a " + hour
	case yesterday:
		return preposition + "ayer a " + hour
	}
	return preposition + "el " + c.date(t) + " a " + hour
}

// spanishHour has its article: one o'clock is singular, and is written as it
// is said.
func (c clock) spanishHour(t time.Time) string {
	if c.local(t).Hour() == 1 {
		return "la " + c.timeOfDay(t)[1:]
	}
	return "las " + c.timeOfDay(t)
}

func (c clock) timeOfDay(t time.Time) string {
	out := c.local(t).Format("15:04")
	if c.zone == nil {
		out += " UTC"
	}
	return out
}

func (c clock) local(t time.Time) time.Time {
	if c.zone == nil {
		return t.UTC()
	}
	return t.In(c.zone)
}

const (
	yesterday = -1
	today     = 0
	tomorrow  = 1
	faraway   = 2
)

// daysFromNow counts calendar days in the reader's zone; faraway beyond one.
func (c clock) daysFromNow(t time.Time) int {
	if c.now.IsZero() {
		return faraway
	}
	y, m, d := c.local(c.now).Date()
	ty, tm, td := c.local(t).Date()
	for _, days := range []int{yesterday, today, tomorrow} {
		if time.Date(y, m, d+days, 0, 0, 0, 0, time.UTC).Equal(time.Date(ty, tm, td, 0, 0, 0, 0, time.UTC)) {
			return days
		}
	}
	return faraway
}
