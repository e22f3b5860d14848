package spectest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox/spectest"
)

// witness is a test that writes down its failures instead of failing.
type witness struct {
	testing.TB
	failures []string
}

func (w *witness) Helper() {}
func (w *witness) Errorf(format string, args ...any) {
	w.failures = append(w.failures, fmt.Sprintf(format, args...))
}

// canned answers every request alike.
type canned struct {
	status int
	header http.Header
	body   string
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	header := c.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: c.status, Header: header, Body: io.NopCloser(strings.NewReader(c.body)), Request: r}, nil
}

func TestTransportNoticesWhatDiffers(t *testing.T) {
	t.Parallel()

	const page = `{"success":true,"data":[{"id":1,"name":null}],"additional_data":{"next_cursor":null}}`
	for name, test := range map[string]struct {
		method, url string
		form        string
		answer      canned
		failure     string // empty: all is well
	}{
		"a good page":                    {url: "/api/v2/persons?limit=500&sort_by=id", answer: canned{status: 200, body: page}},
		"below a prefix":                 {url: "/sandbox/pipedrive/api/v2/persons", answer: canned{status: 200, body: page}},
		"an unknown parameter":           {url: "/api/v2/persons?start=0", answer: canned{status: 200, body: page}, failure: `no parameter "start"`},
		"a parameter of the wrong type":  {url: "/api/v2/persons?limit=many", answer: canned{status: 200, body: page}, failure: "limit"},
		"a path of version 1":            {url: "/api/v1/persons", answer: canned{status: 200, body: page}, failure: "in none of the provider's documents"},
		"an id that is a string":         {url: "/api/v2/persons", answer: canned{status: 200, body: `{"success":true,"data":[{"id":"1"}]}`}, failure: "the answer to GET"},
		"a version 1 owner":              {url: "/api/v2/persons/1", answer: canned{status: 200, body: `{"success":true,"data":{"id":1,"owner_id":{"id":7}}}`}, failure: "the answer to GET"},
		"a page that was wrong on order": {url: "/api/v2/persons", answer: canned{status: 200, header: http.Header{"X-Sandbox-Fault": {"malformed"}}, body: `{"succ`}},
		"an error as it is":              {url: "/api/v2/persons", answer: canned{status: 429, body: `{"success":false,"error":"Request over limit"}`}},
		"an error without its envelope":  {url: "/api/v2/persons", answer: canned{status: 429, body: `{}`}, failure: "without success false"},
		"an unknown success":             {url: "/api/v2/persons", answer: canned{status: 202, body: `{}`}, failure: "status 202"},
		"a refresh":                      {method: "POST", url: "/oauth/token", form: "grant_type=refresh_token", answer: canned{status: 200, body: `{"access_token":"a","expires_in":3599}`}},
		"a grant that is none":           {method: "POST", url: "/oauth/token", form: "grant_type=password", answer: canned{status: 200, body: `{}`}, failure: "grant_type"},
		"a life in words":                {method: "POST", url: "/oauth/token", form: "grant_type=refresh_token", answer: canned{status: 200, body: `{"expires_in":"3599"}`}, failure: "the answer to POST"},
		"a revocation":                   {method: "POST", url: "/oauth/revoke", form: "token=x", answer: canned{status: 200, body: `{"success":true}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			seen := &witness{TB: t}
			r, err := http.NewRequestWithContext(t.Context(), test.method, "https://company.example"+test.url, strings.NewReader(test.form))
			require.NoError(t, err)
			if test.form != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.SetBasicAuth("id", "secret")
			}
			response, err := spectest.Transport(seen, test.answer).RoundTrip(r)
			require.NoError(t, err)
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, test.answer.body, string(text), "the answer can still be read")

			if test.failure == "" {
				require.Empty(t, seen.failures)
				return
			}
			require.NotEmpty(t, seen.failures)
			require.Contains(t, strings.Join(seen.failures, "\n"), test.failure)
		})
	}
}
