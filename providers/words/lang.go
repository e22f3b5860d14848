package words

import (
	"strconv"
	"strings"
)

// Lang is a language of the table.
type Lang string

// The languages. Any other value reads as English.
const (
	En Lang = "en"
	Es Lang = "es"
)

// Pick chooses the language for an Accept-Language header (RFC 9110 §12.5.4):
// the one of ours with the highest weight, the earlier one of equals. English
// where the header names none of ours.
func Pick(header string) Lang {
	best, bestWeight := En, 0.0
	for item := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(item, ";")
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		lang := Lang(primary)
		if primary == "*" {
			lang = En
		}
		if lang != En && lang != Es {
			continue
		}
		if w := weight(params); w > bestWeight {
			best, bestWeight = lang, w
		}
	}
	return best
}

// weight reads the q of a header item: 1 where there is none, 0 where it is
// unreadable.
func weight(params string) float64 {
	name, value, found := strings.Cut(strings.TrimSpace(params), "=")
	if !found || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}
