// Package eta tells how long a run has yet to go: from its own pages, with the time that it was parked. It is pure:
// no clock, no database.
package eta

import (
	"math"
	"slices"
	"time"
)

// Sample is how far a run was at some moment. Its JSON is short, since a run's checkpoint holds some dozens.
type Sample struct {
	At     Span  `json:"t"`           // since the run's first call
	Parked Span  `json:"p,omitempty"` // of that, what the run was parked for: waiting for its provider, or for a lost worker
	Parks  int   `json:"n,omitempty"` // how often
	Seen   int64 `json:"s"`           // records
}

// Span is a duration in milliseconds.
type Span int64

// Duration is the span as the standard library has it.
func (s Span) Duration() time.Duration { return time.Duration(s) * time.Millisecond }

// SpanOf rounds a duration down to milliseconds.
func SpanOf(d time.Duration) Span { return Span(d.Milliseconds()) }

// most is how many samples are kept; half of them go when there are more.
const most = 32

// Track is the samples of a run, the oldest first, about evenly spread over its pages.
type Track struct {
	Samples []Sample `json:"samples,omitempty"`
	Every   int      `json:"every,omitempty"` // pages between two samples
	Skipped int      `json:"skipped,omitempty"`
	Parked  Span     `json:"parked,omitempty"`
	Parks   int      `json:"parks,omitempty"`
}

// Park counts a wait that has just ended.
func (t *Track) Park(d time.Duration) {
	if d > 0 {
		t.Parked += SpanOf(d)
		t.Parks++
	}
}

// Page notes a page: at is since the run's first call, seen the records so far.
func (t *Track) Page(at time.Duration, seen int64) {
	if t.Skipped++; len(t.Samples) > 0 && t.Skipped < t.Every {
		return
	}
	t.Skipped = 0
	t.Samples = append(slices.Clip(t.Samples), Sample{At: SpanOf(at), Parked: t.Parked, Parks: t.Parks, Seen: seen})
	if len(t.Samples) <= most {
		return
	}
	half := make([]Sample, 0, most/2+1)
	for i := 0; i < len(t.Samples); i += 2 {
		half = append(half, t.Samples[i])
	}
	t.Samples, t.Every = half, max(2*t.Every, 2)
}

// Estimate is how long a run has yet to go. It lies between Low and High unless the provider changes its pace.
type Estimate struct {
	Rate      float64 // records a second while it reads, lately
	Left      time.Duration
	Low, High time.Duration
	Known     bool // false: nothing can be said yet
}

// The least that an estimate is made from.
const (
	leastTime    = 2 * time.Second
	leastSamples = 3
	tooFar       = 1.6  // times another rate: then the run has changed its pace
	leastError   = 0.08 // of what is left: no provider is steadier
)

// Left estimates the rest of a run that has seen so many of a total. Waiting is how long it is still parked; 0: it reads.
//
// The rate is that of the later half of what was read: a slow start counts for nothing soon, and a stalled page or a full
// window for as much as it will again. Parks that came again and again will do so: they are counted by records, at their mean length. One that
// came once may have been the only one.
func (t Track) Left(seen, total int64, waiting time.Duration) Estimate {
	rest := float64(max(total-seen, 0))
	lately, all, ok := t.rates()
	if !ok {
		return Estimate{}
	}
	rate := lately
	if lately < tooFar*all && all < tooFar*lately { // about the same: the longer look is the steadier one
		rate = (lately + all) / 2
	}
	e := Estimate{Rate: rate, Known: true}
	reading := rest / rate
	parks, mean := t.parksLeft(seen, rest, waiting > 0)
	left := reading + parks*mean + waiting.Seconds()

	doubt := math.Max(leastError*left, math.Abs(rest/all-rest/lately))
	if t.Parks > 0 {
		doubt += math.Min(mean, rest/float64(max(seen, 1))*t.Parked.Duration().Seconds())
	}
	seconds := func(s float64) time.Duration {
		return time.Duration(math.Min(math.Max(s, 0), 1e9) * float64(time.Second))
	}
	e.Left, e.Low, e.High = seconds(left), seconds(math.Max(left-doubt, waiting.Seconds())), seconds(left+doubt)
	return e
}

// rates are those of the later half of what was read, and of all of it.
func (t Track) rates() (lately, all float64, ok bool) {
	n := len(t.Samples)
	if n < leastSamples {
		return 0, 0, false
	}
	last := t.Samples[n-1]
	active := func(s Sample) float64 { return (s.At - s.Parked).Duration().Seconds() }
	if active(last) < leastTime.Seconds() || last.Seen <= 0 {
		return 0, 0, false
	}
	half := slices.IndexFunc(t.Samples, func(s Sample) bool { return 2*s.Seen >= last.Seen })
	first := t.Samples[max(min(half, n-leastSamples), 0)]
	all = float64(last.Seen) / active(last)
	took := active(last) - active(first)
	if took <= 0 {
		return all, all, true
	}
	lately = float64(last.Seen-first.Seen) / took
	return lately, all, lately > 0
}

// parksLeft is how often the run will be parked, beside the park that it is in, and for how long each time, in seconds.
func (t Track) parksLeft(seen int64, rest float64, parked bool) (n, mean float64) {
	parks := t.Parks
	if parked {
		parks++ // of which the length isn't counted yet
	}
	if t.Parks > 0 {
		mean = t.Parked.Duration().Seconds() / float64(t.Parks)
	}
	if parks < 2 || seen <= 0 {
		return 0, mean
	}
	each := float64(seen) / float64(parks) // records between two
	since := float64(seen)
	if i := slices.IndexFunc(t.Samples, func(s Sample) bool { return s.Parks == t.Parks }); i >= 0 && !parked {
		since = float64(seen - t.Samples[i].Seen)
	} else if parked {
		since = 0
	}
	return math.Floor((math.Min(since, each) + rest) / each), mean
}
