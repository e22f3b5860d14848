package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// scheduleWords says a schedule in words: "@every 15m" and the cron expressions
// that have a plain name. Any other expression stands as it is.
func scheduleWords(lang Lang, expression string) string {
	if interval, ok := strings.CutPrefix(expression, "@every "); ok {
		d, err := time.ParseDuration(strings.TrimSpace(interval))
		if err != nil || d < time.Second {
			return expression
		}
		return everyDuration(lang, d)
	}
	switch expression { // what robfig/cron's descriptors stand for
	case "@hourly":
		expression = "0 * * * *"
	case "@daily", "@midnight":
		expression = "0 0 * * *"
	case "@weekly":
		expression = "0 0 * * 0"
	case "@monthly":
		expression = "0 0 1 * *"
	}
	fields := strings.Fields(expression)
	if len(fields) != 5 {
		return expression
	}
	if words := cronWords(lang, fields); words != "" {
		return words
	}
	return expression
}

// every gives "every 15 minutes" for a whole number of one unit.
func every(lang Lang, n int, unit time.Duration) string {
	minute := unit == time.Minute
	switch {
	case minute && n == 1:
		return pair{"every minute", "cada minuto"}.in(lang)
	case minute:
		return fmt.Sprintf(pair{"every %d minutes", "cada %d minutos"}.in(lang), n)
	case n == 1:
		return pair{"every hour", "cada hora"}.in(lang)
	default:
		return fmt.Sprintf(pair{"every %d hours", "cada %d horas"}.in(lang), n)
	}
}

func everyDuration(lang Lang, d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return every(lang, int(d/time.Hour), time.Hour)
	case d%time.Minute == 0 && d < time.Hour:
		return every(lang, int(d/time.Minute), time.Minute)
	}
	return pair{"every ", "cada "}.in(lang) + durationWords(lang, d)
}

// cronWords names the simple expressions: steps that divide their unit, an
// hour a day, a weekday, Monday to Friday, a day of the month. Empty for the rest.
func cronWords(lang Lang, f []string) string {
	minute, hour, day, month, weekday := f[0], f[1], f[2], f[3], f[4]
	if month != "*" {
		return ""
	}
	daily := day == "*" && weekday == "*"

	if hour == "*" && daily {
		return withinHour(lang, minute)
	}
	m, ok := cronNumber(minute, 0, 59)
	if !ok {
		return ""
	}
	if step, ok := cronStep(hour, 24); ok && m == 0 && daily {
		return every(lang, step, time.Hour)
	}
	h, ok := cronNumber(hour, 0, 23)
	if !ok {
		return ""
	}
	at := (clock{lang: lang, now: time.Unix(0, 0), zone: time.UTC}).at(time.Unix(int64(h*3600+m*60), 0))

	switch {
	case daily:
		return pair{"every day ", "todos los días "}.in(lang) + at
	case day == "*" && weekday == "1-5":
		return pair{"Monday to Friday ", "de lunes a viernes "}.in(lang) + at
	case day == "*":
		n, ok := cronNumber(weekday, 0, 7)
		if !ok {
			return ""
		}
		days := [7]pair{
			{"Sunday", "domingo"},
			{"Monday", "lunes"},
			{"Tuesday", "martes"},
			{"Wednesday", "miércoles"},
			{"Thursday", "jueves"},
			{"Friday", "viernes"},
			{"Saturday", "sábado"},
		}
		return pair{"every ", "cada "}.in(lang) + days[n%7].in(lang) + " " + at
	case weekday == "*":
		n, ok := cronNumber(day, 1, 31)
		if !ok {
			return ""
		}
		return fmt.Sprintf(pair{"on day %d of every month ", "el día %d de cada mes "}.in(lang), n) + at
	}
	return ""
}

// withinHour names a minute field that counts every hour of every day.
func withinHour(lang Lang, minute string) string {
	if minute == "*" {
		return every(lang, 1, time.Minute)
	}
	if step, ok := cronStep(minute, 60); ok {
		return every(lang, step, time.Minute)
	}
	m, ok := cronNumber(minute, 0, 59)
	switch {
	case !ok:
		return ""
	case m == 0:
		return every(lang, 1, time.Hour)
	}
	return fmt.Sprintf(pair{"every hour at minute %d", "cada hora en el minuto %d"}.in(lang), m)
}

func cronNumber(field string, low, high int) (int, bool) {
	n, err := strconv.Atoi(field)
	return n, err == nil && n >= low && n <= high
}

// cronStep reads "*/n" where n divides the whole: only then are the steps even.
func cronStep(field string, whole int) (int, bool) {
	text, ok := strings.CutPrefix(field, "*/")
	if !ok {
		return 0, false
	}
	n, ok := cronNumber(text, 1, whole-1)
	return n, ok && whole%n == 0
}
