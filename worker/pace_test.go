package worker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

func limited(limit int64) *pace {
	return newPace(providers.Limits{}, store.Budget{BurstLimit: &limit, BurstWindow: 2 * time.Second})
}

// TestPaceKeepsItsShare: whatever the rhythm of the calls, no window holds more than four fifths of the limit.
func TestPaceKeepsItsShare(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(2, 100).Draw(t, "limit")
		p, now := limited(limit), time.Unix(0, 0)
		var sent []time.Time
		for range rapid.IntRange(1, 300).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(100*time.Millisecond)).Draw(t, "pause")))
			d, known := p.next(now)
			require.True(t, known)
			if d > 0 {
				now = now.Add(d)
				d, _ = p.next(now)
				require.LessOrEqual(t, d, time.Duration(0), "after the wait the call goes")
			}
			sent = append(sent, now)
			inWindow := 0
			for _, at := range sent {
				if now.Sub(at) < 2*time.Second {
					inWindow++
				}
			}
			require.LessOrEqual(t, float64(inWindow), max(share*float64(limit), 1))
		}
	})
}

func TestPaceBelievesTheProvider(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		remaining int64
		sent      int
		waits     bool
	}{
		"much is left, so nothing waits":          {79, 200, false},
		"somebody else has used it up":            {10, 1, true},
		"exactly the rest is left for the others": {16, 1, true},
		"one more than the rest is left":          {17, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p := limited(80)
			limit := int64(80)
			for range c.sent {
				p.sent = append(p.sent, time.Now())
			}
			p.learn(providers.Usage{BurstLimit: &limit, BurstWindow: 2 * time.Second, BurstRemaining: &c.remaining}, true)
			d, known := p.next(time.Now())
			require.True(t, known)
			require.Equal(t, c.waits, d > 0)
		})
	}
}
