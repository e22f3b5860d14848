package rules_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// schedules is how many random schedules the model test runs, and from which seed on: ENLACE_SCHEDULES (make soak: a
// million) and ENLACE_SEED.
func schedules(t *testing.T) (n int, seed uint64) {
	t.Helper()
	n, seed = 20_000, 1
	if s := os.Getenv("ENLACE_SCHEDULES"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err, "ENLACE_SCHEDULES")
	}
	if s := os.Getenv("ENLACE_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err, "ENLACE_SEED")
	}
	return n, seed
}
