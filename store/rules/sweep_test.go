package rules_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/store/rules"
)

func TestCandidate(t *testing.T) {
	t.Parallel()

	first := answered.Add(time.Hour)
	fresh := live(ten)
	fresh.ObservedAt = first
	for name, c := range map[string]struct {
		row  *rules.Row
		met  bool
		want bool
	}{
		"live, old and in no page":                {live(ten), false, true},
		"met in a page of the last walk":          {live(ten), true, false},
		"already a tombstone":                     {tombstone(ten), false, false},
		"stored or confirmed since the run began": {fresh, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, c.want, rules.Candidate(*c.row, first, c.met))
		})
	}
}

func TestBraked(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		n, live int
		want    bool
	}{
		"nothing missing of nothing":      {0, 0, false},
		"4 of 4 are few":                  {4, 4, false},
		"5 of 5":                          {5, 5, true},
		"5 of 10 are no more than half":   {5, 10, false},
		"5 of 9 are more than half":       {5, 9, true},
		"39 of 40":                        {39, 40, true},
		"50 of 100 are no more than half": {50, 100, false},
		"51 of 254 are more than 20 %":    {51, 254, true},
		"51 of 255 are 20 %":              {51, 255, false},
		"50 of 240 are no more than 50":   {50, 240, false},
		"150 of 1000 are 15 %":            {150, 1000, false},
		"700 of 1000":                     {700, 1000, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, c.want, rules.Braked(c.n, c.live))
		})
	}
}

func TestSample(t *testing.T) {
	t.Parallel()

	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	require.Equal(t, []string{"0", "100", "200", "300", "400", "500", "600", "700", "800", "900"}, rules.Sample(ids, rules.SampleSize))
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, rules.Sample(ids[:11], rules.SampleSize))
	require.Equal(t, ids[:3], rules.Sample(ids[:3], rules.SampleSize))
	require.Empty(t, rules.Sample(nil, rules.SampleSize))
}

func TestJudgeSample(t *testing.T) {
	t.Parallel()

	const alive, proven, unproven = rules.Alive, rules.Proven, rules.Unproven
	for name, c := range map[string]struct {
		sample []rules.Finding
		want   rules.Conclusion
	}{
		"the provider's word for each":               {[]rules.Finding{proven, proven}, rules.Proceed},
		"one living record: the list was incomplete": {[]rules.Finding{proven, proven, alive}, rules.Incomplete},
		"one merely absent: a person is asked":       {[]rules.Finding{proven, unproven}, rules.Hold},
		"nobody is asked about an incomplete list":   {[]rules.Finding{unproven, alive}, rules.Incomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, c.want, rules.JudgeSample(c.sample))
		})
	}
}

func TestJudgeUnproven(t *testing.T) {
	t.Parallel()

	require.Equal(t, rules.Proceed, rules.JudgeUnproven(4, 5))
	require.Equal(t, rules.Hold, rules.JudgeUnproven(5, 5))
}
