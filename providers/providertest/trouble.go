package providertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

// Trouble is something that goes wrong with a call.
type Trouble string

// What every provider's list can meet.
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

func cancelled(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 3)
	s.Play(t, Hang)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	source, calls := source(t, s, SourceOptions{}), s.Calls(t)
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

func fails(t *testing.T, c ContactSource, trouble Trouble, kind providers.ErrorKind) {
	t.Helper()
	s := c.Account(t, 12)
	var timeout time.Duration
	if trouble == Hang || trouble == Drip {
		timeout = time.Second
	}
	source := source(t, s, SourceOptions{Timeout: timeout})
	first, err := source.ListContacts(t.Context(), providers.ListRequest{Limit: 5})
	require.NoError(t, err)

	s.Play(t, trouble)
	begun := time.Now()
	page, err := source.ListContacts(t.Context(), providers.ListRequest{Limit: 5, Cursor: first.Next})
	require.Error(t, err)
	e, ok := errors.AsType[*providers.Error](err)
	require.True(t, ok, "%T is no *providers.Error", err)
	require.Equal(t, kind, e.Kind, "%v", e)
	page.Observation = providers.Observation{}
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
