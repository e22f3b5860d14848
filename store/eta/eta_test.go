package eta_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/store/eta"
)

// A pattern says how long page i of n takes, and how long the run is parked before it.
type pattern struct {
	page, parked func(i, n int, r *rand.Rand) time.Duration
	from         float64 // from this part of the run's time on, the estimate is good
	cycle        int     // in how many pages it comes round: a tenth of a run must hold some, or nobody can know
}

func never(int, int, *rand.Rand) time.Duration { return 0 }

func noisy(mean time.Duration) func(int, int, *rand.Rand) time.Duration {
	return func(_, _ int, r *rand.Rand) time.Duration {
		return time.Duration(float64(mean) * (0.5 + r.Float64()))
	}
}

func patterns() map[string]pattern {
	return map[string]pattern{
		"steady": {noisy(200 * time.Millisecond), never, 0.1, 1},
		"throttled within its window": {func(i, _ int, _ *rand.Rand) time.Duration { // 64 calls in 2 s
			if i%64 == 63 {
				return 1400 * time.Millisecond
			}
			return 10 * time.Millisecond
		}, never, 0.1, 64},
		"throttled by refusals": {noisy(100 * time.Millisecond), func(i, _ int, r *rand.Rand) time.Duration {
			if i%20 == 19 {
				return 2*time.Second + time.Duration(r.Float64()*float64(time.Second))
			}
			return 0
		}, 0.1, 20},
		"one page in fifty stalls": {func(i, _ int, r *rand.Rand) time.Duration {
			if i%50 == 25 {
				return time.Second
			}
			return time.Duration(float64(200*time.Millisecond) * (0.5 + r.Float64()))
		}, never, 0.1, 50},
		"a slow start": {func(i, n int, r *rand.Rand) time.Duration {
			d := noisy(200*time.Millisecond)(i, n, r)
			if i < n/20 {
				d *= 4
			}
			return d
		}, never, 1.0 / 3, 1},
		"parked once": {noisy(200 * time.Millisecond), func(i, n int, _ *rand.Rand) time.Duration {
			if i == n/10 {
				return time.Duration(n) * 40 * time.Millisecond // a fifth of the reading
			}
			return 0
		}, 1.0 / 3, 1},
		"parked again and again": {noisy(100 * time.Millisecond), func(i, n int, _ *rand.Rand) time.Duration {
			if i > 0 && i%max(n/12, 1) == 0 {
				return time.Duration(n) * 20 * time.Millisecond
			}
			return 0
		}, 1.0 / 3, 1},
		"waiting for its turn among others": {func(i, _ int, r *rand.Rand) time.Duration {
			if i%25 == 24 { // a slice's end: the gap is part of the pace
				return 5*time.Second + time.Duration(r.Float64()*float64(time.Second))
			}
			return 100 * time.Millisecond
		}, never, 0.1, 25},
	}
}

// TestEstimates: within a fifth of the truth, from where DESIGN's bounds begin to nine tenths of the run.
func TestEstimates(t *testing.T) {
	t.Parallel()

	const each = 500
	for name, p := range patterns() {
		for _, n := range []int{300, 1000, 4000} {
			if n < 40*p.cycle {
				continue
			}
			t.Run(fmt.Sprintf("%s, %d pages", name, n), func(t *testing.T) {
				t.Parallel()

				r := rand.New(rand.NewPCG(7, uint64(n)))
				type at struct {
					now  time.Duration
					left eta.Estimate
				}
				var track eta.Track
				var now time.Duration
				var made []at
				for i := range n {
					if d := p.parked(i, n, r); d > 0 {
						now += d
						track.Park(d)
					}
					now += p.page(i, n, r)
					track.Page(now, int64(i+1)*each)
					made = append(made, at{now, track.Left(int64(i+1)*each, int64(n)*each, 0)})
				}
				worst, outside, judged := 0.0, 0, 0
				for _, m := range made {
					part := float64(m.now) / float64(now)
					if part < p.from || part > 0.9 || m.now < 10*time.Second {
						continue
					}
					require.True(t, m.left.Known, "at %.2f", part)
					judged++
					truth := now - m.now
					// of the whole as it is foretold: what is left of a run is told beside what has gone
					worst = math.Max(worst, math.Abs(float64(m.left.Left-truth))/float64(now))
					if truth < m.left.Low || truth > m.left.High {
						outside++
					}
				}
				require.Positive(t, judged)
				require.LessOrEqual(t, worst, 0.2)
				require.LessOrEqual(t, float64(outside)/float64(judged), 0.35, "the truth lies within what is stated, mostly")
				t.Logf("worst %.3f of the whole, outside %d of %d", worst, outside, judged)
			})
		}
	}
}

func TestAParkThatGoesOnIsCounted(t *testing.T) {
	t.Parallel()

	var track eta.Track
	for i := range 40 {
		track.Page(time.Duration(i+1)*time.Second, int64(i+1)*100)
	}
	without := track.Left(4000, 8000, 0)
	with := track.Left(4000, 8000, 10*time.Minute)
	require.Equal(t, without.Left+10*time.Minute, with.Left)
	require.GreaterOrEqual(t, with.Low, 10*time.Minute)
}

func TestNothingIsSaidTooSoon(t *testing.T) {
	t.Parallel()

	var track eta.Track
	require.False(t, track.Left(0, 100, 0).Known)
	for i := range 10 {
		track.Page(time.Duration(i)*100*time.Millisecond, int64(i)*10)
	}
	require.False(t, track.Left(100, 1000, 0).Known, "a second of it")
	for range 10 {
		track.Page(10*time.Second, 0)
	}
	require.False(t, track.Left(0, 1000, 0).Known, "nothing was read")
}

// However many pages a run has, what is kept of them is short.
func TestTheTrackStaysShort(t *testing.T) {
	t.Parallel()

	var track eta.Track
	for i := range 100_000 {
		track.Page(time.Duration(i)*time.Millisecond, int64(i))
		require.LessOrEqual(t, len(track.Samples), 32)
	}
	require.Greater(t, len(track.Samples), 15)
}
