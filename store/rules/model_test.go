package rules_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestModel(t *testing.T) {
	t.Parallel()

	n, seed := schedules(t)
	for name, m := range map[string]mix{"random": random, "dense": dense} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			ran, failing := search(n/2, seed, product(), m)
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
