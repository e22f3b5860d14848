package words

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// count writes a whole number in groups of three, with the comma that English
// and most of Latin America use (CLDR es-419).
func (r renderer) count(n *int64) string {
	if n == nil {
		return ""
	}
	digits := strconv.FormatInt(*n, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return sign + out.String()
}

// percent writes a share. It rounds to whole percents, but neither up to 100
// nor down to 0, which would say "all" or "none".
func (r renderer) percent(p *float64) string {
	if p == nil || math.IsNaN(*p) || math.IsInf(*p, 0) {
		return ""
	}
	rounded := math.Round(*p)
	switch {
	case rounded == 0 && *p > 0:
		rounded = 1
	case rounded == 100 && *p < 100:
		rounded = 99
	}
	out := strconv.FormatFloat(rounded+0, 'f', 0, 64) // +0: never "-0"
	if r.lang == Es {
		return out + "\u00a0%"
	}
	return out + "%"
}

// durationWords writes a duration in two units at most. Zero is a missing one.
func durationWords(lang Lang, d time.Duration) string {
	if d <= 0 {
		return ""
	}
	if d < time.Second {
		return pair{"under 1 s", "menos de 1 s"}.in(lang)
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, unit := range units {
		if d < unit.size {
			continue
		}
		out := fmt.Sprintf("%d %s", d/unit.size, unit.name)
		if i+1 == len(units) {
			return out
		}
		if rest := d % unit.size / units[i+1].size; rest > 0 {
			out += fmt.Sprintf(" %d %s", rest, units[i+1].name)
		}
		return out
	}
	return ""
}
