package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

const persons = "/api/v2/persons"

func TestFaultsThatAreAnswers(t *testing.T) {
	t.Parallel()

	for kind, want := range map[sandbox.Kind]struct {
		status int
		body   string // a part of it
		header map[string]string
	}{
		sandbox.Fault429:          {429, `"errorCode":429`, map[string]string{"x-ratelimit-limit": "80", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"}},
		sandbox.FaultDaily429:     {429, `"errorCode":429`, map[string]string{"x-daily-ratelimit-token-remaining": "0", "retry-after": "3"}},
		sandbox.Fault500:          {500, `"code":"ERR_UNKNOWN"`, nil},
		sandbox.Fault502:          {502, "<html>", map[string]string{"content-type": "text/html; charset=utf-8"}},
		sandbox.Fault503HTML:      {503, "<html>", nil},
		sandbox.FaultHTML403:      {403, "Cloudflare", map[string]string{"content-type": "text/html; charset=utf-8"}},
		sandbox.Fault403Scope:     {403, "Scope and URL mismatch", map[string]string{"content-type": "application/json; charset=utf-8"}},
		sandbox.Fault401:          {401, "unauthorized access", nil},
		sandbox.Fault402:          {402, `"success":false`, nil},
		sandbox.Fault404:          {404, `"success":false`, nil},
		sandbox.Fault410:          {410, "Gone", nil},
		sandbox.FaultBadCursor:    {400, "'cursor' is invalid", nil},
		sandbox.FaultBadClient:    {400, "Invalid client: client is invalid", nil},
		sandbox.FaultInvalidGrant: {400, `"error":"invalid_grant"`, nil},
		sandbox.FaultSuccessFalse: {200, `"success":false`, nil},
		sandbox.FaultEmpty200:     {200, "", nil},
		sandbox.FaultMalformed:    {200, `{"success":true`, nil},
		sandbox.FaultEmptyList:    {200, `"data":[],"additional_data":{"next_cursor":null}`, nil},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()

			b := setup(t, 5)
			require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Path: persons, Kind: kind}))
			got := b.get(persons + "?limit=2")
			require.Equal(t, want.status, got.status)
			require.Contains(t, got.body, want.body)
			for name, value := range want.header {
				require.Equal(t, value, got.header.Get(name), name)
			}
			require.Equal(t, string(kind), got.header.Get("X-Sandbox-Fault"))
			require.Equal(t, string(kind), b.pipedrive.Requests()[0].Fault)
			require.Len(t, b.list("limit=2").Data, 2, "once only")
		})
	}
}

func TestMalformedIsHalfOfTheAnswer(t *testing.T) {
	t.Parallel()

	b := setup(t, 5)
	whole := b.get(persons).body
	require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Kind: sandbox.FaultMalformed}))
	require.Equal(t, whole[:len(whole)/2], b.get(persons).body)
}

func TestFaultsOfTheList(t *testing.T) {
	t.Parallel()

	t.Run("the cursor repeats", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 10)
		require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Path: persons, Times: sandbox.Forever, Kind: sandbox.FaultRepeatCursor}))
		first := b.list("limit=3").next()
		require.NotEmpty(t, first)
		require.Equal(t, first, b.list("limit=3&cursor="+first).next())
		require.Equal(t, first, b.list("limit=100&cursor="+first).next(), "also where the list would end")
	})

	t.Run("half a page is missing while the cursor goes on", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 10)
		require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Path: persons, Kind: sandbox.FaultHalfPage}))
		require.Equal(t, []int64{1, 2, 5, 6, 7, 8, 9, 10}, ids(b.walk("limit=4", nil)))
	})
}

func TestWhichCallFails(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		faults []sandbox.Fault
		want   []int // status of calls to the list
	}{
		"the next":                     {[]sandbox.Fault{{Path: persons, Kind: "500"}}, []int{500, 200, 200, 200}},
		"the third":                    {[]sandbox.Fault{{Path: persons, AtCall: 3, Kind: "500"}}, []int{200, 200, 500, 200}},
		"two from the second":          {[]sandbox.Fault{{Path: persons, AtCall: 2, Times: 2, Kind: "500"}}, []int{200, 500, 500, 200}},
		"all from the second":          {[]sandbox.Fault{{Path: persons, AtCall: 2, Times: sandbox.Forever, Kind: "500"}}, []int{200, 500, 500, 500}},
		"the beginning of a path":      {[]sandbox.Fault{{Path: "/api/", Kind: "500"}}, []int{500, 200}},
		"any path":                     {[]sandbox.Fault{{Kind: "500"}}, []int{500, 200}},
		"not another path":             {[]sandbox.Fault{{Path: "/oauth/token", Kind: "500"}}, []int{200}},
		"each counts every call":       {[]sandbox.Fault{{Kind: "500", Times: 2}, {Kind: "410", AtCall: 3}}, []int{500, 500, 410, 200}},
		"one that is hidden waits":     {[]sandbox.Fault{{Kind: "500"}, {Kind: "410"}}, []int{500, 410, 200}},
		"none after they are replaced": {nil, []int{200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := bare(t, 1)
			require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Kind: "401", Times: sandbox.Forever}))
			require.NoError(t, b.pipedrive.Faults(test.faults...))
			var got []int
			for range test.want {
				got = append(got, b.get(persons).status)
			}
			require.Equal(t, test.want, got)
		})
	}
}

// try sends a request that may well fail on the way.
func (b *bundle) try(ctx context.Context, method, path string, form url.Values) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, b.root+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	b.bearer(r)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(sandbox.DefaultClientID, sandbox.DefaultClientSecret)
	}
	response, err := b.client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

func TestFaultsOfTheLine(t *testing.T) {
	t.Parallel()

	t.Run("a reset", func(t *testing.T) {
		t.Parallel()

		b := bare(t, 5)
		require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Path: "/oauth/token", Kind: sandbox.FaultReset}))
		_, err := b.try(t.Context(), http.MethodPost, "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.tokens.RefreshToken}})
		require.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF), "%v", err)
		require.Zero(t, b.pipedrive.Refreshes(), "nothing was done")
	})

	t.Run("a reset after the work was done", func(t *testing.T) {
		t.Parallel()

		b := bare(t, 5)
		b.configure(func(s *sandbox.PipedriveSettings) { s.RotateRefreshTokens = true })
		require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Path: "/oauth/token", Kind: sandbox.FaultResetAfterAccept}))
		_, err := b.try(t.Context(), http.MethodPost, "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.tokens.RefreshToken}})
		require.Error(t, err)
		require.Contains(t, b.refresh(b.tokens.RefreshToken).body, "invalid_grant", "the token was rotated away")
	})

	t.Run("half of the promised bytes", func(t *testing.T) {
		t.Parallel()

		b := bare(t, 5)
		require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Kind: sandbox.FaultTruncate}))
		text, err := b.try(t.Context(), http.MethodGet, persons, nil)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.True(t, strings.HasPrefix(text, `{"success":true`))
	})

	t.Run("a slow answer is the right one", func(t *testing.T) {
		t.Parallel()

		b := bare(t, 5)
		require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Kind: sandbox.FaultSlow, MS: 30}))
		begun := time.Now()
		require.Equal(t, http.StatusOK, b.refresh(b.tokens.RefreshToken).status)
		require.GreaterOrEqual(t, time.Since(begun), 30*time.Millisecond)
	})
}

func TestAnswersThatDoNotComeEndWithTheClient(t *testing.T) {
	t.Parallel()

	refresh := func(b *bundle) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.tokens.RefreshToken}}
	}
	for kind, accepted := range map[sandbox.Kind]int{sandbox.FaultHang: 0, sandbox.FaultTimeoutAfterAccept: 1, sandbox.FaultDrip: 1} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()

			b := bare(t, 5)
			require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Path: "/oauth/token", Kind: kind}))
			ctx, giveUp := context.WithCancel(t.Context())
			if kind == sandbox.FaultDrip { // its headers come at once
				ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: giveUp})
			} else {
				go func() {
					for b.pipedrive.InFlight() == 0 || b.pipedrive.Refreshes() < accepted {
						select {
						case <-t.Context().Done():
							return
						case <-time.After(time.Millisecond):
						}
					}
					giveUp()
				}()
			}
			_, err := b.try(ctx, http.MethodPost, "/oauth/token", refresh(b))
			require.ErrorIs(t, err, context.Canceled)
			require.Eventually(t, func() bool { return b.pipedrive.InFlight() == 0 }, 5*time.Second, time.Millisecond)
			require.Equal(t, accepted, b.pipedrive.Refreshes())
		})
	}
}

func TestCloseEndsAnswersThatAreHeldBack(t *testing.T) {
	t.Parallel()

	b := bare(t, 5)
	require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Kind: sandbox.FaultHang}))
	go func() {
		for b.pipedrive.InFlight() == 0 {
			select {
			case <-t.Context().Done():
				return
			case <-time.After(time.Millisecond):
			}
		}
		b.sandbox.Close()
		b.sandbox.Close()
	}()
	_, err := b.try(t.Context(), http.MethodGet, persons, nil)
	require.ErrorIs(t, err, io.EOF)
}

func TestScriptedAnswers(t *testing.T) {
	t.Parallel()

	b := setup(t, 3)
	require.NoError(t, b.pipedrive.Faults(sandbox.Fault{Path: persons, Kind: sandbox.Fault500}))
	b.pipedrive.Script(persons, sandbox.Answer{Body: `{"success":true,"data":null,"additional_data":{"next_cursor":"c3"}}`})
	b.pipedrive.Script(persons, sandbox.Answer{Status: 403, Header: http.Header{"X-Ratelimit-Reset": {"2"}}, Body: "<html>blocked</html>"})
	require.Equal(t, 2, b.pipedrive.AnswersLeft())

	got := b.get(persons)
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "application/json; charset=utf-8", got.header.Get("Content-Type"))
	require.Contains(t, got.body, `"c3"`)

	got = b.get(persons)
	require.Equal(t, http.StatusForbidden, got.status)
	require.Equal(t, "2", got.header.Get("x-ratelimit-reset"))
	require.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"))

	require.Zero(t, b.pipedrive.AnswersLeft())
	require.Equal(t, http.StatusInternalServerError, b.get(persons).status, "faults come after the script")
	require.Equal(t, http.StatusOK, b.get(persons).status)
}
