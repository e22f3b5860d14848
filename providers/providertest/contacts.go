package providertest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

// Sandbox is one connected account at a provider's fake.
type Sandbox interface {
	// Source is a new source of the account, as a process that has just started would make it. A timeout that isn't 0
	// bounds its requests.
	Source(t *testing.T, timeout time.Duration) providers.ContactSource

	Put(t *testing.T, p Person)     // stores a record as it is given
	Update(t *testing.T, id string) // changes a record, stamped now
	Delete(t *testing.T, id string) // deletes a record so that the provider itself calls it deleted
	Vanish(t *testing.T, id string) // takes a record away without a trace
	Living(t *testing.T) []string   // the ids of all living records
	Play(t *testing.T, tr Trouble)  // makes calls of a list go wrong, at least the next
	Recover(t *testing.T)           // ends the trouble
	Calls(t *testing.T) (lists int) // list calls received so far
}

// Person is a record as a test writes it. Times are whole seconds; a zero UpdatedAt is a record without one.
type Person struct {
	ID        string
	Name      string
	Email     string
	Note      string // a custom field of free text
	UpdatedAt time.Time
}

// Trouble is something that goes wrong with a call.
type Trouble string

// What every provider's list can meet. A fake that has no such answer skips it by [testing.T.Skip].
const (
	Reset        Trouble = "the connection is reset"
	Hang         Trouble = "no answer ever comes"
	Drip         Trouble = "the body never ends"
	CutOff       Trouble = "the body is cut off"
	HalfJSON     Trouble = "half of the JSON as if it were all"
	EmptyBody    Trouble = "200 without a body"
	WebPage      Trouble = "200 with a web page"
	OtherJSON    Trouble = "200 with JSON of another shape"
	SaysFailed   Trouble = "200 that says it failed"
	ServerError  Trouble = "500"
	BadGateway   Trouble = "502 with a web page"
	Maintenance  Trouble = "503"
	Burst        Trouble = "too many requests in a moment"
	DaySpent     Trouble = "the day's budget is spent"
	TokenRefused Trouble = "a fresh token is refused"
	Closed       Trouble = "the account may not"
	Firewall     Trouble = "a firewall's page"
	Retired      Trouble = "the endpoint is gone"
	Elsewhere    Trouble = "a redirect to another host"
	LostCursor   Trouble = "a stored cursor is refused"
)

// wants is what each trouble has to be classified as.
var wants = map[Trouble]providers.ErrorKind{
	Reset: providers.Transient, Hang: providers.Transient, Drip: providers.Transient, CutOff: providers.Transient,
	HalfJSON: providers.Transient, EmptyBody: providers.Transient, WebPage: providers.Transient,
	OtherJSON: providers.SchemaChanged, SaysFailed: providers.Transient, ServerError: providers.Transient,
	BadGateway: providers.Transient, Maintenance: providers.Transient, Burst: providers.RateLimited,
	DaySpent: providers.QuotaExhausted, TokenRefused: providers.NeedsReauth, Closed: providers.Blocked,
	Firewall: providers.RateLimited, Retired: providers.Misconfigured, Elsewhere: providers.Misconfigured,
	LostCursor: providers.CursorExpired,
}

// RunContactSource checks what [providers.ContactSource] promises. setup makes an account with n living records, some
// of them sharing an update time and at least one without any if the provider knows such records and n allows it.
func RunContactSource(t *testing.T, setup func(t *testing.T, n int) Sandbox) {
	t.Helper()
	t.Run("a sweep brings every record once", func(t *testing.T) { t.Parallel(); sweep(t, setup(t, 1300)) })
	t.Run("an empty account is an empty list", func(t *testing.T) { t.Parallel(); empty(t, setup(t, 0)) })
	t.Run("a sweep while the data changes misses and repeats nothing that stays", func(t *testing.T) { t.Parallel(); moving(t, setup(t, 60)) })
	t.Run("any stored cursor goes on where its page ended", func(t *testing.T) { t.Parallel(); resume(t, setup(t, 45)) })
	t.Run("an incremental is ascending, inclusive and whole over ties", func(t *testing.T) { t.Parallel(); ties(t, setup(t, 5)) })
	t.Run("what changes during an incremental comes at its end", func(t *testing.T) { t.Parallel(); late(t, setup(t, 30)) })
	t.Run("a confirming read tells living, deleted and absent apart", func(t *testing.T) { t.Parallel(); confirm(t, setup(t, 3)) })
	t.Run("odd values come as they are, without NUL", func(t *testing.T) { t.Parallel(); odd(t, setup(t, 0)) })
	t.Run("a call that is cancelled ends at once", func(t *testing.T) { t.Parallel(); cancelled(t, setup(t, 3)) })
	for trouble, kind := range wants {
		t.Run(string(trouble), func(t *testing.T) { t.Parallel(); fails(t, setup(t, 12), trouble, kind) })
	}
}

// walk reads pages of a list to its end, calling between after each page but the last.
func walk(t *testing.T, source providers.ContactSource, req providers.ListRequest, between func(page int)) (pages []providers.Page) {
	t.Helper()
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
		req.Cursor = page.Next
	}
	require.Fail(t, "the list does not end")
	return nil
}

func ids(pages []providers.Page) []string {
	var list []string
	for _, page := range pages {
		for _, c := range page.Contacts {
			list = append(list, c.ExternalID)
		}
	}
	return list
}

func sweep(t *testing.T, s Sandbox) {
	t.Helper()
	pages := walk(t, s.Source(t, 0), providers.ListRequest{}, nil)
	got, want := ids(pages), s.Living(t)
	require.Len(t, want, 1300)
	require.True(t, slices.IsSortedFunc(got, byNumber), "a sweep is in the order of ids")
	require.ElementsMatch(t, want, got)
	require.LessOrEqual(t, s.Calls(t), 3, "the largest page is asked for")
	require.False(t, pages[0].Date.IsZero(), "the answer's own time is told")
	c := pages[0].Contacts[0]
	require.NotEmpty(t, c.Name)
	require.NotEmpty(t, c.Emails)
	require.False(t, c.UpdatedAt.IsZero())
	timeless := func(c providers.Contact) bool { return c.UpdatedAt.IsZero() }
	require.True(t, slices.ContainsFunc(slices.Concat(pages[0].Contacts, pages[1].Contacts), timeless), "records without an update time are not left out")
}

// byNumber orders ids as numbers, which is how providers count them.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func empty(t *testing.T, s Sandbox) {
	t.Helper()
	for _, req := range []providers.ListRequest{{}, {UpdatedSince: time.Unix(0, 0)}} {
		page, err := s.Source(t, 0).ListContacts(t.Context(), req)
		require.NoError(t, err)
		require.Empty(t, page.Contacts)
		require.Empty(t, page.Next)
	}
}

func moving(t *testing.T, s Sandbox) {
	t.Helper()
	living := s.Living(t)
	touched := map[string]bool{}
	got := ids(walk(t, s.Source(t, 0), providers.ListRequest{Limit: 7}, func(page int) {
		s.Update(t, living[(page*11)%(len(living)/2)]) // moves nothing in the order of ids
		gone := living[len(living)-1-page]
		s.Delete(t, gone)
		touched[gone] = true
		s.Put(t, Person{ID: "9000" + string(rune('0'+page%10)), Name: "New", UpdatedAt: time.Now()})
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

func resume(t *testing.T, s Sandbox) {
	t.Helper()
	for _, since := range []time.Time{{}, time.Unix(0, 0)} {
		first := walk(t, s.Source(t, 0), providers.ListRequest{UpdatedSince: since, Limit: 7}, nil)
		require.Greater(t, len(first), 4)
		for i, page := range first[:len(first)-1] {
			rest := walk(t, s.Source(t, 0), providers.ListRequest{UpdatedSince: since, Limit: 7, Cursor: page.Next}, nil)
			require.Equal(t, ids(first[i+1:]), ids(rest), "from the cursor of page %d", i)
		}
	}
}

func ties(t *testing.T, s Sandbox) {
	t.Helper()
	second := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for i := range 23 {
		s.Put(t, Person{ID: strconv.Itoa(100 + i), Name: "Tied", UpdatedAt: second})
	}
	s.Put(t, Person{ID: "200", Name: "Before", UpdatedAt: second.Add(-time.Second)})
	pages := walk(t, s.Source(t, 0), providers.ListRequest{UpdatedSince: second.Add(700 * time.Millisecond), Limit: 5}, nil)
	got := ids(pages)
	require.Len(t, got, 23, "at or after the second, in which the record before is not")
	slices.Sort(got)
	require.Len(t, slices.Compact(got), 23, "each tied record once")

	all := slices.Concat(slices.Collect(contactsOf(walk(t, s.Source(t, 0), providers.ListRequest{UpdatedSince: time.Unix(0, 0), Limit: 5}, nil)))...)
	require.Greater(t, len(all), 24)
	require.True(t, slices.IsSortedFunc(all, func(a, b providers.Contact) int { return a.UpdatedAt.Compare(b.UpdatedAt) }), "oldest change first")
}

func contactsOf(pages []providers.Page) func(func([]providers.Contact) bool) {
	return func(yield func([]providers.Contact) bool) {
		for _, page := range pages {
			if !yield(page.Contacts) {
				return
			}
		}
	}
}

func late(t *testing.T, s Sandbox) {
	t.Helper()
	req := providers.ListRequest{UpdatedSince: time.Unix(0, 0), Limit: 7}
	var changed string
	got := ids(walk(t, s.Source(t, 0), req, func(page int) {
		if page == 0 {
			first, err := s.Source(t, 0).ListContacts(t.Context(), req)
			require.NoError(t, err)
			changed = first.Contacts[3].ExternalID
			s.Update(t, changed)
		}
	}))
	require.Equal(t, changed, got[len(got)-1])
	require.Equal(t, changed, got[3])
}

func confirm(t *testing.T, s Sandbox) {
	t.Helper()
	source, living := s.Source(t, 0), s.Living(t)
	listed := walk(t, source, providers.ListRequest{}, nil)[0].Contacts[0]

	alive, seen, err := source.ReadContact(t.Context(), living[0])
	require.NoError(t, err)
	require.Equal(t, listed, alive, "one record reads the same both ways")
	require.False(t, seen.Date.IsZero())

	s.Delete(t, living[1])
	gone, _, err := source.ReadContact(t.Context(), living[1])
	require.NoError(t, err, "a deletion that the provider knows is an answer, not an error")
	require.Equal(t, living[1], gone.ExternalID)
	require.True(t, gone.Deleted)

	s.Vanish(t, living[2])
	for _, id := range []string{living[2], "999999"} {
		_, _, err = source.ReadContact(t.Context(), id)
		require.Equal(t, providers.NotFound, providers.KindOf(err))
	}
}

func odd(t *testing.T, s Sandbox) {
	t.Helper()
	note := strings.Repeat("ñ𝄞", 11_000)[:65_998] // whole characters, close to 64 KiB
	persons := []Person{
		{ID: "1", Name: "李小龍 🐉 👩‍👩‍👧", Email: " Zoë@Example.COM , b@example.org ", Note: note},
		{ID: "2", Name: "\u200fشركة النور\u200e (RTL)", Email: "n/a", Note: `"quotes" \ and \n`},
		{ID: "3", Name: "Bob\x00by", Email: "", Note: "nul\x00nul"},
	}
	for _, p := range persons {
		s.Put(t, p)
	}
	got := walk(t, s.Source(t, 0), providers.ListRequest{}, nil)[0].Contacts
	require.Len(t, got, len(persons))
	for i, p := range persons {
		clean := strings.ReplaceAll(p.Name, "\x00", "")
		require.Equal(t, clean, got[i].Name)
		if p.Email != "" {
			require.Equal(t, p.Email, got[i].Emails[0].Value, "as the person typed it")
		}
		require.NotContains(t, string(got[i].CustomFields), "\x00")
		require.NotContains(t, string(got[i].CustomFields), `\u0000`)
		require.True(t, got[i].UpdatedAt.IsZero())
	}
	require.Greater(t, len(got[0].CustomFields), 60_000)
	require.Contains(t, string(got[2].CustomFields), "nulnul")
}

func cancelled(t *testing.T, s Sandbox) {
	t.Helper()
	s.Play(t, Hang)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	source, calls := s.Source(t, 0), s.Calls(t)
	go func() {
		_, err := source.ListContacts(ctx, providers.ListRequest{})
		done <- err
	}()
	require.Eventually(t, func() bool { return s.Calls(t) > calls }, 10*time.Second, time.Millisecond)
	cancel()
	select {
	case err := <-done:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(10 * time.Second):
		require.Fail(t, "the call went on after it was cancelled")
	}
}

func fails(t *testing.T, s Sandbox, trouble Trouble, kind providers.ErrorKind) {
	t.Helper()
	var timeout time.Duration
	if trouble == Hang || trouble == Drip {
		timeout = time.Second
	}
	source := s.Source(t, timeout)
	first, err := source.ListContacts(t.Context(), providers.ListRequest{Limit: 5})
	require.NoError(t, err)

	s.Play(t, trouble)
	begun := time.Now()
	page, err := source.ListContacts(t.Context(), providers.ListRequest{Limit: 5, Cursor: first.Next})
	require.Error(t, err)
	e, ok := errors.AsType[*providers.Error](err)
	require.True(t, ok, "%T is no *providers.Error", err)
	require.Equal(t, kind, e.Kind, "%v", e)
	require.Empty(t, page, "an answer that failed brings nothing, least of all the end of the list")
	require.NotEmpty(t, e.Op)
	require.LessOrEqual(t, len([]rune(e.Detail)), providers.MaxDetail)
	if kind == providers.RateLimited || kind == providers.QuotaExhausted || kind == providers.Blocked {
		require.True(t, e.RetryAt.After(begun), "a wait has an end")
	}

	s.Recover(t)
	rest := walk(t, source, providers.ListRequest{Limit: 5, Cursor: first.Next}, nil)
	require.Len(t, ids(rest), 7, "the same page is there afterwards")
}
