package pipedrive_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
)

// line answers every request with one answer that a test wrote.
type line struct {
	status int
	header http.Header
	body   string
	asked  []*http.Request
}

// RoundTrip implements http.RoundTripper.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.asked = append(l.asked, r)
	header := l.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json; charset=utf-8")
		if strings.HasPrefix(l.body, "<") {
			header.Set("Content-Type", "text/html")
		}
	}
	return &http.Response{StatusCode: l.status, Header: header, Body: io.NopCloser(strings.NewReader(l.body)), ContentLength: -1, Request: r}, nil
}

func (l *line) client() *http.Client { return &http.Client{Transport: l} }

// The ways of asking.
func list(ctx context.Context, s providers.ContactSource) error {
	_, err := s.ListContacts(ctx, providers.ListRequest{})
	return err
}

func next(ctx context.Context, s providers.ContactSource) error {
	_, err := s.ListContacts(ctx, providers.ListRequest{Cursor: "c1"})
	return err
}

func record(ctx context.Context, s providers.ContactSource) error {
	_, _, err := s.ReadContact(ctx, "7")
	return err
}

// The rows of the provider's page, §3 and §4.
func TestAnswersAreClassified(t *testing.T) {
	t.Parallel()

	const page = "<html>…</html>"
	refusal := func(text string) string {
		return `{"success":false,"error":"` + text + `","error_info":"Please check developers.pipedrive.com","data":null,"additional_data":null}`
	}
	day := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	for sentence, tt := range map[string]struct {
		ask        func(context.Context, providers.ContactSource) error
		everWorked bool
		line       line
		want       providers.Error
		wait       time.Duration // until RetryAt; 0: as in want
	}{
		"200 that says it failed is as a 500":             {list, false, line{200, nil, refusal("Internal error"), nil}, providers.Error{Kind: providers.Transient, Detail: "Internal error: Please check developers.pipedrive.com"}, 0},
		"200 that is cut off":                             {list, false, line{200, nil, `{"success":true,"data":[{"id":1`, nil}, providers.Error{Kind: providers.Transient}, 0},
		"200 with a web page":                             {list, false, line{200, nil, page, nil}, providers.Error{Kind: providers.Transient}, 0},
		"200 without a body":                              {list, false, line{200, nil, "", nil}, providers.Error{Kind: providers.Transient}, 0},
		"204":                                             {list, false, line{204, nil, "", nil}, providers.Error{Kind: providers.Transient}, 0},
		"200 with a list instead of an object":            {list, false, line{200, nil, `[]`, nil}, providers.Error{Kind: providers.SchemaChanged, Detail: "the answer has an unexpected form"}, 0},
		"200 with an object instead of a list":            {list, false, line{200, nil, `{"success":true,"data":{}}`, nil}, providers.Error{Kind: providers.SchemaChanged, Detail: "the answer has no list of contacts"}, 0},
		"200 without data":                                {list, false, line{200, nil, `{"success":true}`, nil}, providers.Error{Kind: providers.SchemaChanged, Detail: "the answer has no list of contacts"}, 0},
		"200 with a cursor that is no text":               {list, false, line{200, nil, `{"data":[],"additional_data":{"next_cursor":5}}`, nil}, providers.Error{Kind: providers.SchemaChanged, Detail: "the answer has an unexpected form at /additional_data/next_cursor"}, 0},
		"200 with another record than asked":              {record, false, line{200, nil, `{"data":{"id":8}}`, nil}, providers.Error{Kind: providers.SchemaChanged, Detail: "the answer is about another record"}, 0},
		"200 with null for a record":                      {record, false, line{200, nil, `{"data":null}`, nil}, providers.Error{Kind: providers.SchemaChanged, Detail: "the answer has no record"}, 0},
		"200 with a record that can't be understood":      {record, false, line{200, nil, `{"data":{"id":7,"emails":"x"}}`, nil}, providers.Error{Kind: providers.InvalidRequest, Code: "bad_shape", Detail: "emails"}, 0},
		"400 with a stored cursor":                        {next, false, line{400, nil, refusal("Invalid cursor"), nil}, providers.Error{Kind: providers.CursorExpired, Detail: "Invalid cursor: Please check developers.pipedrive.com"}, 0},
		"400 without a cursor":                            {list, false, line{400, nil, `{"success":false,"error":"limit"}`, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "request", Detail: "limit"}, 0},
		"401 with a fresh token":                          {list, false, line{401, nil, `{"success":false,"error":"unauthorized access","errorCode":401}`, nil}, providers.Error{Kind: providers.NeedsReauth, Variant: "revoked", Code: "401", Detail: "unauthorized access"}, 0},
		"402, the company has not paid":                   {list, true, line{402, nil, `{"success":false}`, nil}, providers.Error{Kind: providers.Blocked, Variant: "payment"}, 24 * time.Hour},
		"403 about the scope at first use":                {list, false, line{403, nil, `{"success":false,"error":"Scope and URL mismatch"}`, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "app", Detail: "Scope and URL mismatch"}, 0},
		"403 about the scope after it worked":             {list, true, line{403, nil, `{"success":false,"error":"Scope and URL mismatch"}`, nil}, providers.Error{Kind: providers.NeedsReauth, Variant: "scope", Detail: "Scope and URL mismatch"}, 0},
		"403 of the firewall":                             {list, true, line{403, nil, page, nil}, providers.Error{Kind: providers.RateLimited}, 15 * time.Minute},
		"403 of the firewall to a single record":          {record, true, line{403, nil, page, nil}, providers.Error{Kind: providers.RateLimited}, 15 * time.Minute},
		"404 to a record":                                 {record, true, line{404, nil, `{"success":false,"error":"Person not found"}`, nil}, providers.Error{Kind: providers.NotFound, Detail: "Person not found"}, 0},
		"404 page to a record says nothing of the record": {record, true, line{404, nil, page, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "app", RefreshFirst: true}, 0},
		"404 to a list is a wrong address":                {list, true, line{404, nil, `{}`, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "app", RefreshFirst: true}, 0},
		"405":                                             {list, true, line{405, nil, `{}`, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "request"}, 0},
		"408":                                             {list, true, line{408, nil, ``, nil}, providers.Error{Kind: providers.Transient}, 0},
		"410, retired":                                    {list, true, line{410, nil, `{"success":false,"error":"Gone"}`, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "request", Detail: "Gone"}, 0},
		"415":                                             {list, true, line{415, nil, `{}`, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "request"}, 0},
		"501":                                             {list, true, line{501, nil, `{}`, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "request"}, 0},
		"418 and any other 4xx":                           {list, true, line{418, nil, `{"error":{"message":"odd"}}`, nil}, providers.Error{Kind: providers.InvalidRequest}, 0},
		"429 in a burst, no header":                       {list, true, line{429, nil, `{}`, nil}, providers.Error{Kind: providers.RateLimited}, 2 * time.Second},
		"429 in a burst, reset in seconds":                {list, true, line{429, http.Header{"X-Ratelimit-Reset": {"7"}}, `{}`, nil}, providers.Error{Kind: providers.RateLimited}, 7 * time.Second},
		"429 in a burst, retry-after is the longer one":   {list, true, line{429, http.Header{"X-Ratelimit-Reset": {"2"}, "Retry-After": {"30"}}, `{}`, nil}, providers.Error{Kind: providers.RateLimited}, 30 * time.Second},
		"429 in a burst, never longer than a minute":      {list, true, line{429, http.Header{"X-Ratelimit-Reset": {"1790000000"}, "Retry-After": {"86400"}}, `{}`, nil}, providers.Error{Kind: providers.RateLimited}, time.Minute},
		"429 when the day is spent":                       {list, true, line{429, http.Header{"X-Daily-Ratelimit-Token-Remaining": {"0"}, "Retry-After": {"3"}}, `{}`, nil}, providers.Error{Kind: providers.QuotaExhausted, RetryAt: day}, 0},
		"429 while the day has some left":                 {list, true, line{429, http.Header{"X-Daily-Ratelimit-Token-Remaining": {"12"}}, `{}`, nil}, providers.Error{Kind: providers.RateLimited}, 2 * time.Second},
		"500 in an unfamiliar envelope":                   {list, true, line{500, nil, `{"success":false,"error":"Internal Server Error","code":"ERR_UNKNOWN"}`, nil}, providers.Error{Kind: providers.Transient, Code: "ERR_UNKNOWN", Detail: "Internal Server Error"}, 0},
		"502 with a page":                                 {list, true, line{502, nil, page, nil}, providers.Error{Kind: providers.Transient}, 0},
		"503, maintenance":                                {list, true, line{503, nil, page, nil}, providers.Error{Kind: providers.Transient}, 5 * time.Minute},
		"302 to a foreign host":                           {list, true, line{302, http.Header{"Location": {"https://evil.example/?t=1"}}, ``, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "app", Detail: "redirected to evil.example"}, 0},
		"301 to another company's address":                {list, true, line{301, http.Header{"Location": {"https://new-name.pipedrive.com/api/v2/persons"}}, ``, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "app", RefreshFirst: true, Detail: "redirected to new-name.pipedrive.com"}, 0},
		"308 on the same host":                            {list, true, line{308, http.Header{"Location": {"/api/v2/persons/"}}, ``, nil}, providers.Error{Kind: providers.Misconfigured, Variant: "request"}, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()

			account := providers.Account{APIDomain: "https://nordlicht-gmbh.pipedrive.com", EverWorked: tt.everWorked}
			source := pipedrive.New(pipedrive.Config{}).Contacts(account, tt.line.client())
			begun := time.Now()
			err := tt.ask(t.Context(), source)

			var got *providers.Error
			require.ErrorAs(t, err, &got)
			require.Len(t, tt.line.asked, 1, "one request: no redirect followed, nothing asked again")
			if tt.wait != 0 {
				require.WithinDuration(t, begun.Add(tt.wait), got.RetryAt, time.Since(begun))
				got.RetryAt = time.Time{}
			}
			require.True(t, strings.HasPrefix(got.Op, "pipedrive: "), got.Op)
			tt.want.Status = tt.line.status
			require.Equal(t, tt.want, providers.Error{
				Kind: got.Kind, Status: got.Status, Code: got.Code, Detail: got.Detail, Variant: got.Variant, RefreshFirst: got.RefreshFirst, RetryAt: got.RetryAt,
			})
		})
	}
}

func TestErrorsHoldNoSecretAndNoPerson(t *testing.T) {
	t.Parallel()

	token := "v1u:" + strings.Repeat("AQIBAHj-", 100)
	l := &line{status: 400, body: `{"success":false,"error":"token ` + token + ` of zoe@example.com (+49 30 1234567) ` + strings.Repeat("and so on ", 100) + `"}`}
	err := list(t.Context(), pipedrive.New(pipedrive.Config{}).Contacts(providers.Account{}, l.client()))

	var got *providers.Error
	require.ErrorAs(t, err, &got)
	for _, secret := range []string{"AQIBAHj", "zoe@", "1234567"} {
		require.NotContains(t, err.Error(), secret)
	}
	require.Contains(t, got.Detail, "and so on")
	require.Len(t, []rune(got.Detail), providers.MaxDetail)
}

func TestALongRefusalIsReadInPart(t *testing.T) {
	t.Parallel()

	rest := strings.NewReader(strings.Repeat("x", 5<<20))
	client := &http.Client{Transport: roundTrip(func(r *http.Request) *http.Response {
		return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{}, Body: io.NopCloser(rest), ContentLength: -1, Request: r}
	})}
	err := list(t.Context(), pipedrive.New(pipedrive.Config{}).Contacts(providers.Account{}, client))
	require.Equal(t, providers.Transient, providers.KindOf(err))
	require.Greater(t, rest.Len(), 3<<20)
}

type roundTrip func(*http.Request) *http.Response

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }
