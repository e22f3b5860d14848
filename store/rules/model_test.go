package rules_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModel puts the product's decisions through random schedules of an account that changes while it is read. A failing
// one is shrunk and printed; its seed, given as ENLACE_SEED with ENLACE_SCHEDULES=2, repeats it.
func TestModel(t *testing.T) {
	t.Parallel()

	n, seed := schedules(t)
	for name, c := range map[string]struct {
		mix mix
		n   int
	}{
		"random":     {random, n / 2},
		"dense":      {dense, n / 2},
		"overlapped": {overlapped, n / 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			ran, failing := search(c.n, seed, product(), c.mix)
			t.Logf("%d schedules from seed %d", ran, seed)
			if failing != nil {
				fatal(t, *failing, product())
			}
		})
	}
}

// fatal shows the smallest schedule that still breaks the property.
func fatal(t *testing.T, p plan, d decisions) {
	t.Helper()
	small := shrink(p, d, simulate(p, d).property)
	v := simulate(small, d)
	require.Failf(t, "a property does not hold", "(%s) %s\n%s", v.property, v.detail, small)
}
