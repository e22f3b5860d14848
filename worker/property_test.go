//go:build unix

package worker_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lanes is how many sequences are told at once: mostly they wait.
const lanes = 8

// TestRandomSequences tells random stories of accounts: changes, faults, lost workers, wrong clocks, lost notices and
// syncs. After a quiet end the store is the provider's state, no run is stuck, and no incident is left open.
//
// ENLACE_SEQUENCES says how many, and ENLACE_SEED from which seed on: a story that fails is told again by itself with the
// seed that it was reported by and ENLACE_SEQUENCES=1.
func TestRandomSequences(t *testing.T) {
	t.Parallel()

	first, n := sequences(t)
	t.Logf("seeds %d to %d", first, first+uint64(n)-1)
	began := time.Now()
	limit := time.Duration(rounds(10, 600)) * time.Minute // a machine that is busy with other things tells fewer, and says so
	var next, told, failed atomic.Int64
	var group sync.WaitGroup
	for range min(lanes, n) { //nolint:paralleltest // the lanes are what is parallel
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && failed.Load() < mostReported && time.Since(began) < limit; i = next.Add(1) - 1 {
				plan := planned(first + uint64(i))
				t.Run(fmt.Sprintf("seed %d", plan.seed), func(t *testing.T) {
					told.Add(1)
					if err := tell(t, plan); err != nil {
						report(t, plan, err, failed.Add(1) == 1)
					}
				})
			}
		})
	}
	group.Wait()
	corpses.Wait()
	t.Logf("%d of %d sequences in %.0f s", told.Load(), n, time.Since(began).Seconds())
}

const (
	mostReported = 5 // further ones would tell the same
	mostTries    = 80
	mostShrink   = 3 * time.Minute
)

// sequences is how many sequences are told, from which seed on.
func sequences(t *testing.T) (first uint64, n int) {
	t.Helper()
	first, n = 1, rounds(200, 5000)
	var err error
	if s := os.Getenv("ENLACE_SEQUENCES"); s != "" {
		n, err = strconv.Atoi(s)
		require.NoError(t, err, "ENLACE_SEQUENCES")
	}
	if s := os.Getenv("ENLACE_SEED"); s != "" {
		first, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err, "ENLACE_SEED")
	}
	return first, n
}

// report tells a story that failed; the first one with as few steps as still fail. Chance has its part in how workers meet: a story may
// fail in some of its tellings only.
func report(t *testing.T, plan sequence, cause error, shrink bool) {
	t.Helper()
	again := fmt.Sprintf("again: ENLACE_SEED=%d ENLACE_SEQUENCES=1 go test ./worker -run TestRandomSequences", plan.seed)
	if !shrink {
		t.Errorf("%v\n\n%v\n\n%s", cause, plan, again)
		return
	}
	shrunk, tries := plan, 0
	fails := func(p sequence) bool {
		tries++
		err := tell(t, p)
		if err != nil {
			cause = err
		}
		return err != nil
	}
	end := time.Now().Add(mostShrink)
	for size := len(shrunk.steps) / 2; size > 0 && tries < mostTries && time.Now().Before(end); {
		smaller := false
		for at := 0; at < len(shrunk.steps) && tries < mostTries && time.Now().Before(end); {
			candidate := shrunk
			candidate.steps = slices.Delete(slices.Clone(shrunk.steps), at, min(at+size, len(shrunk.steps)))
			if fails(candidate) {
				shrunk, smaller = candidate, true
			} else {
				at += size
			}
		}
		if !smaller || size > len(shrunk.steps) {
			size /= 2
		}
	}
	t.Errorf("%v\n\n%v\n\nthe whole of it:\n%v\n\n%s", cause, shrunk, plan, again)
}
