package sandbox_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func TestZohoListVisitsEveryContactOnceInOrder(t *testing.T) {
	t.Parallel()

	const contacts = 1300 // two of them without a Modified_Time
	for _, sortBy := range []string{"id", "Created_Time", "Modified_Time"} {
		for _, dir := range []string{"asc", "desc"} {
			t.Run(sortBy+" "+dir, func(t *testing.T) {
				t.Parallel()

				b := bareZoho(t, contacts)
				_, err := b.zoho.Mutate(0, sandbox.Mutation{Update: 40, Create: 20})
				require.NoError(t, err)
				all := b.walk("per_page=97&sort_by="+sortBy+"&sort_order="+dir, nil)
				require.Len(t, all, contacts+20)
				seen := b.numbers(all)
				slices.Sort(seen)
				require.Equal(t, upTo(contacts+20), seen)
			})
		}
	}
	_ = http.StatusOK
}
