package providertest

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

func sweep(t *testing.T, c ContactSource) {
	t.Helper()
	const n = 1300
	s := c.Account(t, n)
	pages := walk(t, source(t, s, SourceOptions{}), providers.ListRequest{Expected: n}, nil)
	got, want := ids(pages), s.Living(t)
	require.Len(t, want, n)
	require.True(t, slices.IsSortedFunc(got, byNumber), "a sweep is in the order of ids")
	require.ElementsMatch(t, want, got)
	require.LessOrEqual(t, s.Calls(t), (n+c.LargestPage-1)/c.LargestPage, "the largest page is asked for")
	require.False(t, pages[0].Date.IsZero(), "the answer's own time is told")
	all := contacts(pages)
	require.NotEmpty(t, all[0].Name)
	require.NotEmpty(t, all[0].Emails)
	require.False(t, all[0].UpdatedAt.IsZero())
	timeless := func(c providers.Contact) bool { return c.UpdatedAt.IsZero() }
	require.Equal(t, c.Timeless, slices.ContainsFunc(all, timeless), "records without an update time are not left out")
}

func empty(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 0)
	for _, req := range []providers.ListRequest{{}, {UpdatedSince: time.Unix(0, 0)}} {
		page, err := source(t, s, SourceOptions{}).ListContacts(t.Context(), req)
		require.NoError(t, err)
		require.Empty(t, page.Contacts)
		require.Empty(t, page.Next)
	}
}

func moving(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 60)
	living := s.Living(t)
	touched := map[string]bool{}
	got := ids(walk(t, source(t, s, SourceOptions{}), providers.ListRequest{Limit: 7}, func(page int) {
		s.Update(t, living[(page*11)%(len(living)/2)]) // moves nothing in the order of ids
		gone := living[len(living)-1-page]
		s.Delete(t, gone)
		touched[gone] = true
		s.Put(t, Person{ID: strconv.Itoa(90_000 + page), Name: "New", UpdatedAt: time.Now()})
	}))
	seen := map[string]int{}
	for _, id := range got {
		seen[id]++
		require.Equal(t, 1, seen[id], "record %s came twice", id)
	}
	for _, id := range living {
		require.True(t, touched[id] || seen[id] == 1, "record %s was missed", id)
	}
}

func resume(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 45)
	for _, since := range []time.Time{{}, time.Unix(0, 0)} {
		first := walk(t, source(t, s, SourceOptions{}), providers.ListRequest{UpdatedSince: since, Limit: 7}, nil)
		require.Greater(t, len(first), 4)
		for i, page := range first[:len(first)-1] {
			rest := walk(t, source(t, s, SourceOptions{}), providers.ListRequest{UpdatedSince: since, Limit: 7, Cursor: page.Next}, nil)
			require.Equal(t, ids(first[i+1:]), ids(rest), "from the cursor of page %d", i)
		}
	}
}

func count(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 17)
	counter, ok := source(t, s, SourceOptions{}).(providers.ContactCounter)
	if !ok {
		return // the provider has no such call
	}
	s.Delete(t, s.Living(t)[3])
	n, seen, err := counter.CountContacts(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 16, n)
	require.False(t, seen.Date.IsZero())
}

func deletions(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 9)
	src := source(t, s, SourceOptions{})
	lister, ok := src.(providers.DeletedLister)
	if !ok {
		return // the provider has no such list
	}
	before := time.Now().Add(-time.Minute)
	require.Empty(t, deletedSince(t, lister, before))
	living := s.Living(t)
	for _, id := range living[2:5] {
		s.Delete(t, id)
	}
	require.Subset(t, deletedSince(t, lister, before), living[2:5])
	require.NotContains(t, deletedSince(t, lister, before), living[0])
}

func deletedSince(t *testing.T, lister providers.DeletedLister, since time.Time) (ids []string) {
	t.Helper()
	var cursor providers.Cursor
	for range 100 {
		page, err := lister.ListDeleted(t.Context(), since, cursor)
		require.NoError(t, err)
		ids = append(ids, page.ExternalIDs...)
		if page.Next == "" {
			return ids
		}
		require.NotEqual(t, cursor, page.Next)
		cursor = page.Next
	}
	require.Fail(t, "the list does not end")
	return nil
}

func confirm(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 3)
	source, living := source(t, s, SourceOptions{}), s.Living(t)

	alive, seen, err := source.ReadContact(t.Context(), living[0])
	require.NoError(t, err)
	require.Equal(t, living[0], alive.ExternalID)
	require.False(t, alive.Deleted)
	require.False(t, seen.Date.IsZero())

	s.Delete(t, living[1])
	gone, _, err := source.ReadContact(t.Context(), living[1])
	if c.SaysDeleted {
		require.NoError(t, err, "a deletion that the provider knows is an answer, not an error")
		require.Equal(t, living[1], gone.ExternalID)
		require.True(t, gone.Deleted)
	} else {
		require.Equal(t, providers.NotFound, providers.KindOf(err), "%v", err)
	}

	s.Vanish(t, living[2])
	for _, id := range []string{living[2], "999999"} {
		_, _, err = source.ReadContact(t.Context(), id)
		require.Equal(t, providers.NotFound, providers.KindOf(err), "%v", err)
	}
}
