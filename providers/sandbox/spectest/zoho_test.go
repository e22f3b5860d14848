package spectest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox/spectest"
)

func TestZohoTransportNoticesWhatDiffers(t *testing.T) {
	t.Parallel()

	const (
		list  = "/crm/v8/Contacts"
		page  = `{"data":[{"id":"554023000000123001","Email":null,"Tag":[{"name":"VIP","id":"1","color_code":null}]}],"info":{"per_page":200,"count":1,"page":1,"more_records":false,"next_page_token":null}}`
		bulk  = "/crm/bulk/v8/read"
		added = `{"data":[{"status":"success","code":"ADDED_SUCCESSFULLY","message":"Added successfully.","details":{"id":"1","operation":"read","state":"ADDED","created_by":{"id":"2","name":"x"},"created_time":"2026-11-24T11:00:00+01:00"}}],"info":{}}`
		watch = "/crm/v8/actions/watch"
		asked = `{"watch":[{"channel_id":"1","events":["Contacts.all"],"channel_expiry":"2026-12-01T10:00:00+00:00","notify_url":"https://app.example.com/hooks"}]}`
		told  = `{"watch":[{"code":"SUCCESS","status":"success","message":"Successfully subscribed for actions-watch of the given module","details":{"events":[{"channel_expiry":"2026-12-01T10:00:00+00:00","resource_uri":"x","resource_id":"1","resource_name":"Contacts","channel_id":"1"}]}}]}`
		fault = `{"code":"INVALID_TOKEN","details":{},"message":"invalid oauth token","status":"error"}`
		coql  = "/crm/v8/coql"
	)
	for name, test := range map[string]struct {
		method, url, body string
		answer            canned
		failure           string // empty: all is well
	}{
		"a good page":                 {url: list + "?fields=Email&per_page=200&sort_by=id", answer: canned{status: 200, body: page}},
		"below a prefix":              {url: "/sandbox/zoho/api/eu" + list, answer: canned{status: 200, body: page}},
		"an unknown parameter":        {url: list + "?limit=1", answer: canned{status: 200, body: page}, failure: `no parameter "limit"`},
		"a page that is no number":    {url: list + "?page=two", answer: canned{status: 200, body: page}, failure: "page"},
		"an id that is a number":      {url: list, answer: canned{status: 200, body: strings.Replace(page, `"554023000000123001"`, "1", 1)}, failure: "the answer to GET"},
		"an id that is null":          {url: list, answer: canned{status: 200, body: strings.Replace(page, `"554023000000123001"`, "null", 1)}, failure: "the answer to GET"},
		"nothing":                     {url: list, answer: canned{status: 204}},
		"nothing with a body":         {url: list, answer: canned{status: 204, body: "{}"}, failure: "with a body"},
		"a count":                     {url: list + "/actions/count", answer: canned{status: 200, body: `{"count":"12"}`}},
		"an unknown path":             {url: "/crm/v2/Contacts", answer: canned{status: 200, body: page}, failure: "in none of the provider's documents"},
		"an error":                    {url: list, answer: canned{status: 401, body: fault}},
		"an error in data":            {url: list, answer: canned{status: 400, body: `{"data":[` + fault + `]}`}},
		"an error without details":    {url: list, answer: canned{status: 400, body: `{"code":"X","message":"","status":"error"}`}, failure: "without its code"},
		"an error that is a page":     {url: list, answer: canned{status: 502, body: "<html>"}, failure: "no JSON"},
		"a fault on purpose":          {url: list, answer: canned{status: 502, header: http.Header{"X-Sandbox-Fault": {"502"}}, body: "<html>"}},
		"a bulk read":                 {method: "POST", url: bulk, body: `{"query":{"module":{"api_name":"Contacts"},"fields":["Email"],"page":1},"file_type":"csv"}`, answer: canned{status: 201, body: added}},
		"a bulk read of no module":    {method: "POST", url: bulk, body: `{"query":{"fields":["Email"]}}`, answer: canned{status: 201, body: added}, failure: "module"},
		"a job in an unknown state":   {method: "POST", url: bulk, body: `{}`, answer: canned{status: 201, body: strings.Replace(added, `"ADDED"`, `"LOST"`, 1)}, failure: "the answer to POST"},
		"a job with another status":   {method: "POST", url: bulk, body: `{}`, answer: canned{status: 200, body: added}, failure: "the answer to POST"},
		"a channel":                   {method: "POST", url: watch, body: asked, answer: canned{status: 201, body: told}},
		"a channel with other events": {method: "POST", url: watch, body: strings.Replace(asked, `["Contacts.all"]`, `"Contacts.all"`, 1), answer: canned{status: 201, body: told}, failure: "events"},
		"a channel without details":   {method: "POST", url: watch, body: asked, answer: canned{status: 201, body: `{"watch":[{"code":"SUCCESS"}]}`}, failure: "the answer to POST"},
		"a query":                     {method: "POST", url: coql, body: `{"select_query":"select id from Contacts where id > '1'"}`, answer: canned{status: 200, body: page}},
		"a query by another name":     {method: "POST", url: coql, body: `{"query":"select"}`, answer: canned{status: 200, body: page}, failure: "select_query"},
		"an org without its zgid":     {url: "/crm/v8/org", answer: canned{status: 200, body: `{"org":[{"id":"1"}]}`}, failure: "the answer to GET"},
		"users without info":          {url: "/crm/v8/users?type=CurrentUser", answer: canned{status: 200, body: `{"users":[]}`}, failure: "info"},
		"an unknown type of users":    {url: "/crm/v8/users?type=Me", answer: canned{status: 204}, failure: "type"},
		"what they leave out":         {url: "/crm/v8/settings/fields?module=Contacts", answer: canned{status: 200, body: `[]`}},
		"the accounts host":           {method: "POST", url: "/oauth/v2/token", answer: canned{status: 200, body: `[]`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			seen := &witness{TB: t}
			r, err := http.NewRequestWithContext(t.Context(), test.method, "https://www.zohoapis.example"+test.url, strings.NewReader(test.body))
			require.NoError(t, err)
			if test.body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			response, err := spectest.ZohoTransport(seen, test.answer).RoundTrip(r)
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
