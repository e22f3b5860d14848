package words

import (
	"strings"
	"time"
	"unicode"
)

// detailMax bounds the provider's own words, in characters.
const detailMax = 200

// value gives what a placeholder stands for, written for the language; false
// if it is missing.
func (r renderer) value(name string) (string, bool) {
	a := r.args
	var out string
	switch name {
	case "provider":
		out = plain(a.Provider)
	case "account":
		out = plain(a.Account)
	case "name":
		out = plain(a.Name)
	case "to":
		out = plain(a.To)
	case "field":
		out = plain(a.Field)
	case "limit":
		out = plain(a.Limit)
	case "what":
		out = plain(a.What)
	case "state":
		out = plain(a.State)
	case "title":
		out = plain(a.Title)
	case "tenant":
		out = plain(a.Tenant)
	case "button":
		out = plain(a.Button)
	case "link":
		out = plain(a.Link)
	case "hint":
		out = plain(a.Hint)
	case "detail":
		out = detail(a.Detail)
	case "schedule":
		out = scheduleWords(r.lang, plain(a.Schedule))
	case "n":
		if out = r.count(a.N); a.More && out != "" {
			out += "+"
		}
	case "count":
		out = r.count(a.Count)
	case "live":
		out = r.count(a.Live)
	case "total":
		out = r.count(a.Total)
	case "missing":
		out = r.count(a.Missing)
	case "exist":
		out = r.count(a.Exist)
	case "calls":
		out = r.count(a.Calls)
	case "rate":
		out = r.count(a.Rate)
	case "percent":
		out = r.percent(a.Percent)
	case "duration":
		out = durationWords(r.lang, a.Duration)
	case "eta":
		out = durationWords(r.lang, a.ETA)
	default:
		out = r.timeValue(name)
	}
	return out, out != ""
}

func (r renderer) timeValue(name string) string {
	a := r.args
	c := clock{lang: r.lang, now: a.Now, zone: a.Zone}
	switch name {
	case "at":
		return unlessZero(a.At, c.at)
	case "until":
		return unlessZero(a.Until, c.until)
	case "since":
		return unlessZero(a.Since, c.since)
	case "asof":
		return unlessZero(a.AsOf, c.asOf)
	case "ago":
		return unlessZero(a.Ago, c.ago)
	case "date":
		return unlessZero(a.Date, c.date)
	}
	return ""
}

func unlessZero(t time.Time, format func(time.Time) string) string {
	if t.IsZero() {
		return ""
	}
	return format(t)
}

// plain makes one line of a value: no control or invisible characters, single
// spaces.
func plain(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c) || unicode.IsControl(c):
			return ' '
		case unicode.Is(unicode.Cf, c) || c == unicode.ReplacementChar:
			return -1
		}
		return c
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// detail makes the provider's words fit to be quoted in a sentence.
func detail(s string) string {
	s = strings.ReplaceAll(Redact(s), `"`, "'")
	runes := []rune(s)
	if len(runes) <= detailMax {
		return s
	}
	return strings.TrimSpace(string(runes[:detailMax-1])) + "…"
}
