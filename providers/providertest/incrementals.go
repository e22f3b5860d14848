package providertest

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

// changes reads a list of changes as the engine does: by the source's cursors where these are places, else by a new
// query from the last time seen, and by a cursor through a tie alone. Records may come twice.
func (c ContactSource) changes(t *testing.T, source providers.ContactSource, since time.Time, limit int, between func(page int)) (pages []providers.Page) {
	t.Helper()
	if c.Limits.Cursors != providers.Opaque {
		return walk(t, source, providers.ListRequest{UpdatedSince: since, Limit: limit}, between)
	}
	req := providers.ListRequest{UpdatedSince: since, Limit: limit}
	for n := range 1000 {
		page, err := source.ListContacts(t.Context(), req)
		require.NoError(t, err)
		require.Empty(t, page.Failures)
		pages = append(pages, page)
		if page.Next == "" {
			return pages
		}
		if between != nil {
			between(n)
		}
		last := page.Contacts[len(page.Contacts)-1].UpdatedAt
		if req.Cursor == "" && last.After(req.UpdatedSince) {
			req.UpdatedSince = last
			continue
		}
		req.Cursor = page.Next
	}
	require.Fail(t, "the list does not end")
	return nil
}

func ties(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 5)
	second := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for i := range 23 {
		s.Put(t, Person{ID: strconv.Itoa(100 + i), Name: "Tied", UpdatedAt: second})
	}
	s.Put(t, Person{ID: "200", Name: "Before", UpdatedAt: second.Add(-time.Second)})
	src := source(t, s, SourceOptions{})
	got := ids(walk(t, src, providers.ListRequest{UpdatedSince: second.Add(700 * time.Millisecond), Limit: 5}, nil))
	require.Len(t, got, 23, "at or after the second, in which the record before is not")
	slices.Sort(got)
	require.Len(t, slices.Compact(got), 23, "each tied record once")

	got = ids(c.changes(t, src, second.Add(-time.Second), 5, nil))
	slices.Sort(got)
	require.Len(t, slices.Compact(got), 24, "read as the engine reads")

	all := contacts(walk(t, src, providers.ListRequest{UpdatedSince: time.Unix(0, 0), Limit: 5}, nil))
	require.Greater(t, len(all), 24)
	if c.Limits.Cursors != providers.Bounded {
		require.True(t, slices.IsSortedFunc(all, func(a, b providers.Contact) int { return a.UpdatedAt.Compare(b.UpdatedAt) }), "oldest change first")
	}
}

func quiet(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 40)
	calls := s.Calls(t)
	page, err := source(t, s, SourceOptions{}).ListContacts(t.Context(), providers.ListRequest{UpdatedSince: time.Now().Add(2 * time.Hour)})
	require.NoError(t, err)
	require.Empty(t, page.Contacts)
	require.Empty(t, page.Next)
	require.Equal(t, 1, s.Calls(t)-calls)
}

func late(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 30)
	living := s.Living(t)
	begun := time.Now().Add(-2 * time.Second)
	src := source(t, s, SourceOptions{})
	var changed []string
	pages := c.changes(t, src, time.Unix(0, 0), 7, func(page int) {
		if page < 3 {
			changed = append(changed, living[5*page])
			s.Update(t, living[5*page])
		}
	})
	require.Len(t, changed, 3)
	next := c.changes(t, src, begun, 7, nil)
	newest := map[string]time.Time{}
	for _, contact := range contacts(slices.Concat(pages, next)) {
		if old, ok := newest[contact.ExternalID]; !ok || contact.UpdatedAt.After(old) {
			newest[contact.ExternalID] = contact.UpdatedAt
		}
	}
	for _, id := range changed {
		require.False(t, newest[id].Before(begun), "record %s is stale", id)
	}
	stamped := map[string]bool{} // a list of changes doesn't show what has no time
	for _, contact := range contacts(walk(t, src, providers.ListRequest{}, nil)) {
		stamped[contact.ExternalID] = !contact.UpdatedAt.IsZero()
	}
	for _, id := range living {
		require.True(t, !stamped[id] || !newest[id].IsZero(), "record %s was missed", id)
	}
}

// sameEverywhere: however a record is read, it is the same contact, or each way of reading would undo the other's.
func sameEverywhere(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 120) // odd ones among them
	src := source(t, s, SourceOptions{})
	listed := map[string]providers.Contact{}
	for _, contact := range contacts(walk(t, src, providers.ListRequest{}, nil)) {
		listed[contact.ExternalID] = contact
	}
	for _, contact := range contacts(walk(t, src, providers.ListRequest{UpdatedSince: time.Unix(0, 0)}, nil)) {
		require.Equal(t, listed[contact.ExternalID], contact)
	}
	for _, id := range s.Living(t) {
		contact, _, err := src.ReadContact(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, listed[id], contact)
	}
}
