package sandbox

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplaysKnowTheLastDeliveries(t *testing.T) {
	t.Parallel()

	for _, added := range []int{0, 1, keptLength, keptLength + 3, 2*keptLength + 7} {
		var kept keptDeliveries
		for n := range added {
			kept.add(&delivery{url: strconv.Itoa(n)})
		}
		list := kept.inOrder()
		require.Len(t, list, min(added, keptLength))
		for n, d := range list {
			require.Equal(t, strconv.Itoa(added-len(list)+n), d.url)
		}
	}
}
