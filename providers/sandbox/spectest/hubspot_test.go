package spectest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox/spectest"
)

func TestHubSpotTransportNoticesWhatDiffers(t *testing.T) {
	t.Parallel()

	const (
		list   = "/crm/v3/objects/contacts"
		search = list + "/search"
		page   = `{"results":[{"id":"1","properties":{"email":null},"createdAt":"2011-05-01T00:00:00Z","updatedAt":"2011-05-01T00:00:00.120Z"}]}`
		found  = `{"total":0,"results":[]}`
		tokens = `{"access_token":"a","token_type":"bearer","expires_in":1800}`
		json   = "application/json"
		form   = "application/x-www-form-urlencoded"
	)
	for name, test := range map[string]struct {
		method, url, kind, body string
		answer                  canned
		failure                 string // empty: all is well
	}{
		"a good page":                      {url: list + "?limit=100&properties=email,phone", answer: canned{status: 200, body: page}},
		"below a prefix":                   {url: "/sandbox/hubspot" + list, answer: canned{status: 200, body: page}},
		"a page that is too long":          {url: list + "?limit=101", answer: canned{status: 200, body: page}, failure: "limit"},
		"an unknown parameter":             {url: list + "?offset=1", answer: canned{status: 200, body: page}, failure: `no parameter "offset"`},
		"a property that is a number":      {url: list, answer: canned{status: 200, body: strings.Replace(page, "null", "1", 1)}, failure: "the answer to GET"},
		"an id that is a number":           {url: list, answer: canned{status: 200, body: strings.Replace(page, `"1"`, "1", 1)}, failure: "the answer to GET"},
		"an unknown path":                  {url: "/crm/v3/objects/companies", answer: canned{status: 200, body: page}, failure: "in none of the provider's documents"},
		"a good search":                    {method: "POST", url: search, kind: json, body: `{"filterGroups":[],"limit":200}`, answer: canned{status: 200, body: found}},
		"a search that is too long":        {method: "POST", url: search, kind: json, body: `{"limit":201}`, answer: canned{status: 200, body: found}, failure: "limit"},
		"two sorts":                        {method: "POST", url: search, kind: json, body: `{"sorts":["a","b"]}`, answer: canned{status: 200, body: found}, failure: "sorts"},
		"a search without its total":       {method: "POST", url: search, kind: json, body: `{}`, answer: canned{status: 200, body: page}, failure: "total"},
		"a batch without a list it needs":  {method: "POST", url: list + "/batch/read", kind: json, body: `{"inputs":[],"properties":[]}`, answer: canned{status: 404, body: `{}`}, failure: "propertiesWithHistory"},
		"an error as it is":                {url: list, answer: canned{status: 429, body: `{"status":"error","policyName":"SECONDLY"}`}},
		"an error with a number":           {url: list, answer: canned{status: 429, body: `{"status":429}`}, failure: "the answer to GET"},
		"a page that was wrong on purpose": {url: list, answer: canned{status: 200, header: http.Header{"X-Sandbox-Fault": {"malformed"}}, body: `{"res`}},
		"a refresh":                        {method: "POST", url: "/oauth/v3/token", kind: form, body: "grant_type=refresh_token", answer: canned{status: 200, body: tokens}},
		"a grant that is none":             {method: "POST", url: "/oauth/v3/token", kind: form, body: "grant_type=password", answer: canned{status: 200, body: tokens}, failure: "grant_type"},
		"tokens without an end":            {method: "POST", url: "/oauth/v1/token", kind: form, body: "grant_type=refresh_token", answer: canned{status: 200, body: `{"access_token":"a","token_type":"bearer"}`}, failure: "expires_in"},
		"what the documents leave out":     {url: "/account-info/v3/details", answer: canned{status: 200, body: `{}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			seen := &witness{TB: t}
			r, err := http.NewRequestWithContext(t.Context(), test.method, "https://api.example"+test.url, strings.NewReader(test.body))
			require.NoError(t, err)
			if test.kind != "" {
				r.Header.Set("Content-Type", test.kind)
			}
			response, err := spectest.HubSpotTransport(seen, test.answer).RoundTrip(r)
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
