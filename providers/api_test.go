package providers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

// wire answers each request with what a test wrote, and keeps what was asked.
type wire struct {
	status int
	header http.Header
	body   string
	asked  []string // method, address and what was sent
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err //nolint:wrapcheck // a transport adds nothing
		}
		sent = " " + string(text)
	}
	w.asked = append(w.asked, r.Method+" "+r.URL.String()+sent)
	header := w.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	if strings.HasPrefix(w.body, "<") {
		header.Set("Content-Type", "text/html")
	}
	return &http.Response{StatusCode: w.status, Header: header, Body: io.NopCloser(strings.NewReader(w.body)), ContentLength: -1, Request: r}, nil
}

// caller asks over a wire; change makes the API what a test needs.
func (w *wire) caller(account providers.Account, change func(*providers.API)) *providers.Caller {
	api := &providers.API{
		Provider: "acme", BaseURL: "https://api.acme.example",
		Layout: providers.Layout{Records: "data.list", Next: "page.next", Total: "total", Record: "data", Cursor: "at"},
	}
	if change != nil {
		change(api)
	}
	return api.For(account, &http.Client{Transport: w})
}

// The table of statuses that all providers share.
func TestStatusesAreClassified(t *testing.T) {
	t.Parallel()

	const page = "<html>…</html>"
	var (
		list   = providers.Ask{Op: "list", Path: "/people"}
		next   = providers.Ask{Op: "list", Path: "/people", Cursor: "c"}
		record = providers.Ask{Op: "read", Path: "/people/7", Record: true}
	)
	moved := func(to string) http.Header { return http.Header{"Location": {to}} }
	type want struct {
		kind    providers.ErrorKind
		variant string
		wait    time.Duration
		refresh bool
	}
	for sentence, tt := range map[string]struct {
		ask    providers.Ask
		worked bool // the account has been read before
		own    bool // accounts have their own hosts
		answer wire
		want   want
	}{
		"200 that says it failed":              {list, true, false, wire{200, nil, `{"failed":true}`, nil}, want{providers.Transient, "", 0, false}},
		"204 that nobody expects":              {list, true, false, wire{204, nil, ``, nil}, want{providers.Transient, "", 0, false}},
		"301 on the same host":                 {list, true, true, wire{301, moved("/other"), ``, nil}, want{providers.Misconfigured, "request", 0, false}},
		"302 to a stranger":                    {list, true, true, wire{302, moved("https://evil.example/x"), ``, nil}, want{providers.Misconfigured, "app", 0, false}},
		"302 to another host of theirs":        {list, true, true, wire{302, moved("https://b.acme.example/x"), ``, nil}, want{providers.Misconfigured, "app", 0, true}},
		"302 where all share one host":         {list, true, false, wire{302, moved("https://b.acme.example/x"), ``, nil}, want{providers.Misconfigured, "app", 0, false}},
		"400 to a cursor":                      {next, true, false, wire{400, nil, `{}`, nil}, want{providers.CursorExpired, "", 0, false}},
		"400 without one":                      {list, true, false, wire{400, nil, `{}`, nil}, want{providers.Misconfigured, "request", 0, false}},
		"401":                                  {list, true, false, wire{401, nil, `{}`, nil}, want{providers.NeedsReauth, "revoked", 0, false}},
		"402":                                  {list, true, false, wire{402, nil, `{}`, nil}, want{providers.Blocked, "payment", 24 * time.Hour, false}},
		"403 with a page":                      {record, true, false, wire{403, nil, page, nil}, want{providers.RateLimited, "", 15 * time.Minute, false}},
		"403 at first":                         {list, false, false, wire{403, nil, `{}`, nil}, want{providers.Misconfigured, "app", 0, false}},
		"403 after it worked":                  {list, true, false, wire{403, nil, `{}`, nil}, want{providers.NeedsReauth, "scope", 0, false}},
		"404 to a record":                      {record, true, true, wire{404, nil, `{}`, nil}, want{providers.NotFound, "", 0, false}},
		"404 page to a record":                 {record, true, false, wire{404, nil, page, nil}, want{providers.Misconfigured, "request", 0, false}},
		"404 to a list":                        {list, true, false, wire{404, nil, `{}`, nil}, want{providers.Misconfigured, "request", 0, false}},
		"404 to a list where accounts move":    {list, true, true, wire{404, nil, `{}`, nil}, want{providers.Misconfigured, "app", 0, true}},
		"405":                                  {list, true, true, wire{405, nil, `{}`, nil}, want{providers.Misconfigured, "request", 0, false}},
		"408":                                  {list, true, true, wire{408, nil, ``, nil}, want{providers.Transient, "", 0, false}},
		"410":                                  {list, true, true, wire{410, nil, `{}`, nil}, want{providers.Misconfigured, "request", 0, false}},
		"414":                                  {list, true, true, wire{414, nil, page, nil}, want{providers.Misconfigured, "request", 0, false}},
		"415":                                  {list, true, true, wire{415, nil, `{}`, nil}, want{providers.Misconfigured, "request", 0, false}},
		"418":                                  {list, true, true, wire{418, nil, `{}`, nil}, want{providers.InvalidRequest, "", 0, false}},
		"423":                                  {record, true, true, wire{423, nil, `{}`, nil}, want{providers.RateLimited, "", 2 * time.Second, false}},
		"429":                                  {list, true, true, wire{429, nil, `{}`, nil}, want{providers.RateLimited, "", 2 * time.Second, false}},
		"429 with a wait":                      {list, true, true, wire{429, http.Header{"Retry-After": {"7"}}, `{}`, nil}, want{providers.RateLimited, "", 7 * time.Second, false}},
		"429 with a wait that makes no sense":  {list, true, true, wire{429, http.Header{"Retry-After": {"86400"}}, `{}`, nil}, want{providers.RateLimited, "", time.Minute, false}},
		"500":                                  {list, true, true, wire{500, nil, `{}`, nil}, want{providers.Transient, "", 0, false}},
		"501":                                  {list, true, true, wire{501, nil, `{}`, nil}, want{providers.Misconfigured, "request", 0, false}},
		"503":                                  {list, true, true, wire{503, nil, page, nil}, want{providers.Transient, "", 5 * time.Minute, false}},
		"530 of the edge":                      {record, true, true, wire{530, nil, page, nil}, want{providers.RateLimited, "", 15 * time.Minute, false}},
		"a status of the provider's, refined":  {list, true, true, wire{477, nil, `{}`, nil}, want{providers.Blocked, "suspended", 24 * time.Hour, false}},
		"a refined error is nothing it was":    {list, true, true, wire{404, nil, `{"code":"closed"}`, nil}, want{providers.Blocked, "suspended", 24 * time.Hour, false}},
		"a good answer that speaks of failing": {list, true, true, wire{200, nil, `{"failed":false,"data":{}}`, nil}, want{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()

			c := tt.answer.caller(providers.Account{EverWorked: tt.worked}, func(api *providers.API) {
				if tt.own {
					api.Trusts = func(domain string) bool { return providers.Host(".acme.example", domain) }
				}
				api.Told = func(a *providers.Answer) providers.Told {
					return providers.Told{Failed: string(providers.Dig(a.Body, "failed")) == "true", Code: a.Text("code")}
				}
				api.Refine = func(e *providers.Error, a *providers.Answer, _ providers.Ask) {
					if a.Status == 477 || e.Code == "closed" {
						e.Become(providers.Blocked, "suspended", 0)
					}
				}
			})
			begun := time.Now()
			var body jsontext.Value
			_, err := c.Ask(t.Context(), tt.ask, &body)
			require.Len(t, tt.answer.asked, 1, "no redirect is followed, nothing is asked again")
			if tt.want.kind == "" {
				require.NoError(t, err)
				return
			}
			var got *providers.Error
			require.ErrorAs(t, err, &got)
			require.Equal(t, "acme: "+tt.ask.Op, got.Op)
			require.Equal(t, tt.answer.status, got.Status)
			if tt.want.wait == 0 {
				require.True(t, got.RetryAt.IsZero())
			} else {
				require.WithinDuration(t, begun.Add(tt.want.wait), got.RetryAt, time.Since(begun))
			}
			require.Equal(t, tt.want, want{got.Kind, got.Variant, tt.want.wait, got.RefreshFirst})
		})
	}
}

func TestWhatAnAnswerTellsIsKeptWithoutItsSecrets(t *testing.T) {
	t.Parallel()

	const id = "00000000-0000-4000-8000-0000000000c1"
	w := &wire{status: 418, body: `{}`}
	c := w.caller(providers.Account{}, func(api *providers.API) {
		api.Told = func(*providers.Answer) providers.Told {
			return providers.Told{Code: "ODD", Detail: "zoe@example.com is odd", Reference: id}
		}
	})
	_, err := c.Ask(t.Context(), providers.Ask{Op: "list"}, nil)
	var got *providers.Error
	require.ErrorAs(t, err, &got)
	require.Equal(t, "ODD", got.Code)
	require.Equal(t, "*** is odd", got.Detail)
	require.Equal(t, "acme: list: invalid_request (418): *** is odd: reference "+id, got.Error(), "a redacted text would have lost it")
}

func TestQuestions(t *testing.T) {
	t.Parallel()

	w := &wire{status: http.StatusOK, body: `{}`}
	c := w.caller(providers.Account{APIDomain: "https://own.acme.example"}, nil)
	q := url.Values{"limit": {"5"}}
	var body jsontext.Value
	for _, ask := range []providers.Ask{
		{Op: "list", Path: "/people", Query: q, Cursor: "a+b"},
		{Op: "search", Method: http.MethodPost, Path: "/search", Body: map[string]int{"x": 1}},
	} {
		_, err := c.Ask(t.Context(), ask, &body)
		require.NoError(t, err)
	}
	require.Equal(t, []string{"GET https://own.acme.example/people?at=a%2Bb&limit=5", `POST https://own.acme.example/search {"x":1}`}, w.asked)
	require.Equal(t, url.Values{"limit": {"5"}}, q, "the adapter's own is untouched")

	for _, status := range []int{http.StatusNoContent, http.StatusNotModified} {
		w.status, w.body = status, ""
		_, err := c.Ask(t.Context(), providers.Ask{Op: "list", Nothing: true, Header: http.Header{"If-Modified-Since": {"2026-11-24T10:00:00Z"}}}, &body)
		require.NoError(t, err)
	}
	_, err := c.Ask(t.Context(), providers.Ask{Op: "list", Nothing: true}, &body)
	require.Equal(t, providers.Misconfigured, providers.KindOf(err), "304 to a question that named no time is no answer")
}

func TestUsageIsReadFromHeaders(t *testing.T) {
	t.Parallel()

	n := func(n int64) *int64 { return &n }
	w := &wire{status: http.StatusOK, body: `{}`}
	ask := func(a providers.Ask) providers.Usage {
		c := w.caller(providers.Account{}, func(api *providers.API) {
			api.Usage = providers.UsageHeaders{
				BurstLimit: "X-Limit", BurstRemaining: "X-Left", BurstInterval: "X-Interval", BurstWindow: 2 * time.Second,
				DailyLimit: "X-Day", DailyRemaining: "X-Day-Left",
			}
		})
		var body jsontext.Value
		seen, err := c.Ask(t.Context(), a, &body)
		require.NoError(t, err)
		return seen.Usage
	}
	require.Equal(t, providers.Usage{}, ask(providers.Ask{}), "silence is silence")
	known := providers.Usage{BurstLimit: n(5), BurstWindow: time.Second, Spent: 3}
	require.Equal(t, known, ask(providers.Ask{Usage: known}))
	w.header = http.Header{"X-Limit": {"80"}, "X-Left": {"79"}, "X-Day": {"1000"}, "X-Day-Left": {"0"}}
	want := providers.Usage{BurstLimit: n(80), BurstWindow: 2 * time.Second, BurstRemaining: n(79), DailyLimit: n(1000), DailyRemaining: n(0), Spent: 1}
	require.Equal(t, want, ask(providers.Ask{Usage: providers.Usage{Spent: 1}}))
	w.header.Set("X-Interval", "10000")
	want.BurstWindow = 10 * time.Second
	require.Equal(t, want, ask(providers.Ask{Usage: providers.Usage{Spent: 1}}))
}

// readAcme reads a record of the tests' provider.
func readAcme(raw jsontext.Value) (providers.Contact, error) {
	var r struct {
		ID       providers.Text `json:"id"`
		First    string         `json:"first"`
		Last     string         `json:"last"`
		Absorbed []string       `json:"absorbed"`
	}
	if err := providers.DecodeRecord(raw, &r); err != nil {
		return providers.Contact{}, err
	}
	return providers.Contact{ExternalID: string(r.ID), FirstName: r.First, LastName: r.Last, Absorbed: r.Absorbed}, nil
}

func TestLists(t *testing.T) {
	t.Parallel()

	list := func(body string, nulls bool) (providers.Page, error) {
		w := &wire{status: http.StatusOK, body: body}
		c := w.caller(providers.Account{}, func(api *providers.API) { api.Layout.NullIsEmpty = nulls })
		return c.List(t.Context(), providers.Ask{Op: "list"}, readAcme)
	}
	page, err := list(`{"data":{"list":[{"id":1,"first":"Zoë","absorbed":["5","6"]},{"first":"nobody"},{"id":[]},{"id":"2"}]},"page":{"next":"n"},"total":9}`, false)
	require.NoError(t, err)
	require.Equal(t, []providers.Contact{
		{ExternalID: "1", FirstName: "Zoë", Name: "Zoë"},
		{ExternalID: "2"},
		{ExternalID: "5", Deleted: true, MergedInto: "1"},
		{ExternalID: "6", Deleted: true, MergedInto: "1"},
	}, page.Contacts)
	require.Equal(t, "no_id", page.Failures[0].Reason)
	require.Equal(t, "bad_shape", page.Failures[1].Reason)
	require.Equal(t, providers.Cursor("n"), page.Next)
	require.EqualValues(t, 9, page.Total)
	require.Equal(t, providers.DeletedPage{ExternalIDs: []string{"1", "2", "", ""}, Next: "n", Observation: page.Observation}, page.Deletions())

	for body, want := range map[string]string{
		`{}`:                                     "the answer has no list of contacts",
		`{"data":{"list":{}}}`:                   "the answer has no list of contacts",
		`{"data":{"list":null}}`:                 "the answer has no list of contacts",
		`{"data":[]}`:                            "the answer has no list of contacts",
		`{"data":{"list":[]},"page":{"next":5}}`: "the answer has an unexpected form at /page/next",
		`[]`:                                     "the answer has an unexpected form",
	} {
		page, err = list(body, false)
		require.Equal(t, providers.SchemaChanged, providers.KindOf(err), body)
		require.ErrorContains(t, err, want)
		page.Observation = providers.Observation{}
		require.Empty(t, page, body)
	}
	page, err = list(`{"data":{"list":null},"page":{"next":null}}`, true)
	require.NoError(t, err)
	require.Empty(t, page.Next)
}

func TestOneRecord(t *testing.T) {
	t.Parallel()

	for body, tt := range map[string]struct {
		survivors bool
		want      providers.Contact
		kind      providers.ErrorKind
		detail    string
	}{
		`{"data":{"id":"7","last":"O","absorbed":["1"]}}`: {false, providers.Contact{ExternalID: "7", LastName: "O", Name: "O"}, "", ""},
		`{"data":{"id":8}}`:            {false, providers.Contact{}, providers.SchemaChanged, "the answer is about another record"},
		`{"data":{"id":8,"x":1}}`:      {true, providers.Contact{ExternalID: "7", Deleted: true, MergedInto: "8"}, "", ""},
		`{"data":null}`:                {true, providers.Contact{}, providers.SchemaChanged, "the answer has no record"},
		`{"data":[{"id":"7"}]}`:        {true, providers.Contact{}, providers.SchemaChanged, "the answer has no record"},
		`{"data":{"id":"7","last":5}}`: {true, providers.Contact{}, providers.InvalidRequest, "last"},
	} {
		w := &wire{status: http.StatusOK, body: body}
		c := w.caller(providers.Account{}, func(api *providers.API) { api.Survivors = tt.survivors })
		one, _, err := c.ReadOne(t.Context(), providers.Ask{Op: "read", Path: "/7"}, "7", readAcme)
		require.Equal(t, tt.want, one, body)
		if tt.kind == "" {
			require.NoError(t, err, body)
			continue
		}
		var got *providers.Error
		require.ErrorAs(t, err, &got, body)
		require.Equal(t, tt.kind, got.Kind, body)
		require.Equal(t, tt.detail, got.Detail, body)
		require.Equal(t, tt.kind == providers.InvalidRequest, got.Record != nil, "what was there is kept")
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()

	c, ask := (&wire{}).caller(providers.Account{}, nil), providers.Ask{Op: "list changes"}
	w, err := c.Window(ask, providers.ListRequest{UpdatedSince: time.UnixMilli(5999)})
	require.NoError(t, err)
	require.Equal(t, providers.Window{From: 5000}, w)

	page := providers.Page{
		Contacts: []providers.Contact{{ExternalID: "9000000000000000001"}, {ExternalID: "9000000000000000009", MergedInto: "1"}}, Next: "theirs",
		Observation: providers.Observation{Date: time.UnixMilli(8000)},
	}
	next, err := c.Advance(ask, w, page)
	require.NoError(t, err)
	require.Equal(t, providers.Cursor("5000|8000|9000000000000000001"), next.Next)

	w, err = c.Window(ask, providers.ListRequest{UpdatedSince: time.UnixMilli(99999), Cursor: next.Next})
	require.NoError(t, err)
	require.Equal(t, providers.Window{From: 5000, Upper: 8000, Last: 9000000000000000001}, w)
	_, err = c.Advance(ask, w, page)
	require.Equal(t, providers.SchemaChanged, providers.KindOf(err), "the same page again")
	page.Next = ""
	last, err := c.Advance(ask, w, page)
	require.NoError(t, err)
	require.Empty(t, last.Next)

	_, err = c.Window(ask, providers.ListRequest{Cursor: "theirs"})
	require.Equal(t, providers.CursorExpired, providers.KindOf(err))
}

func TestIdentity(t *testing.T) {
	t.Parallel()

	identify := func(body string) (providers.Identity, error) {
		api := &providers.API{Provider: "acme", BaseURL: "https://api.acme.example"}
		read := api.Identify("/me", func(body jsontext.Value) providers.Identity {
			return providers.Identity{ExternalID: providers.AccountID(providers.Plain(body, "org"), providers.Plain(body, "user")), Name: providers.Plain(body, "name")}
		})
		return read(context.Background(), providers.Account{}, &http.Client{Transport: &wire{status: http.StatusOK, body: body}})
	}
	one, err := identify(`{"org":4242,"user":"7","name":"Acme"}`)
	require.NoError(t, err)
	require.Equal(t, providers.Identity{ExternalID: "4242:7", Name: "Acme"}, one)
	one, err = identify(`{"org":4242,"user":"7"}`)
	require.NoError(t, err)
	require.Equal(t, providers.Identity{ExternalID: "4242:7", Name: "4242:7"}, one, "there is always something to call it by")
	for _, body := range []string{`{"org":1}`, `{"user":1}`, `[]`, `null`} {
		one, err = identify(body)
		require.Equal(t, providers.SchemaChanged, providers.KindOf(err), body)
		require.Empty(t, one, fmt.Sprint(body))
	}
}
