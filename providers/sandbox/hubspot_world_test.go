package sandbox_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/sandbox/spectest"
)

const (
	hubContacts = "/crm/v3/objects/contacts"
	hubSearch   = hubContacts + "/search"
	hubBatch    = hubContacts + "/batch/read"
	hubToken    = "/oauth/v3/token"
	hubTokenV1  = "/oauth/v1/token"
	hubAccount  = "/account-info/v3/details"
	// hubID is the id of the first generated contact; the others count on.
	hubID = int64(9_999_999_999_960)
)

// hub is a running HubSpot fake and a client of it.
type hub struct {
	*bundle
	hubspot *sandbox.HubSpot
	tokens  sandbox.HubSpotTokens
}

// hubSetup starts a fake with a clock that only tests move and without limits.
// Its client checks all traffic against the published documents.
func hubSetup(t *testing.T, contacts int) *hub {
	t.Helper()
	h := hubBare(t, contacts)
	h.client.Transport = spectest.HubSpotTransport(t, h.client.Transport)
	return h
}

// hubBare is hubSetup for calls that are wrong on purpose.
func hubBare(t *testing.T, contacts int) *hub {
	t.Helper()
	s := sandbox.New(sandbox.Config{Contacts: contacts, Now: func() time.Time { return midday.Add(120 * time.Millisecond) }})
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(s.Close)
	h := &hub{bundle: &bundle{
		t: t, sandbox: s, client: server.Client(),
		root: server.URL + "/sandbox/hubspot", control: server.URL + "/sandbox/control/hubspot",
	}, hubspot: s.HubSpot()}
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h.set(func(s *sandbox.HubSpotSettings) { s.Burst, s.SearchBurst = 0, 0 })
	h.tokens = h.hubspot.IssueTokens(0)
	return h
}

// with is the same fake for another test.
func (h *hub) with(t *testing.T) *hub {
	t.Helper()
	mine := *h.bundle
	mine.t = t
	return &hub{bundle: &mine, hubspot: h.hubspot, tokens: h.tokens}
}

func (h *hub) set(change func(*sandbox.HubSpotSettings)) {
	h.t.Helper()
	require.NoError(h.t, h.hubspot.Configure(change))
}

func (h *hub) bearer(r *http.Request) { r.Header.Set("Authorization", "Bearer "+h.tokens.AccessToken) }

func (h *hub) get(path string) answer {
	h.t.Helper()
	return h.send(http.MethodGet, h.root+path, "", "", h.bearer)
}

func (h *hub) post(path, body string) answer {
	h.t.Helper()
	return h.send(http.MethodPost, h.root+path, "application/json", body, h.bearer)
}

// form posts to a token path with our app's credentials in the body, as the
// provider wants them.
func (h *hub) form(path string, fields url.Values) answer {
	h.t.Helper()
	form := url.Values{"client_id": {sandbox.DefaultClientID}, "client_secret": {sandbox.DefaultClientSecret}}
	maps.Copy(form, fields)
	return h.send(http.MethodPost, h.root+path, "application/x-www-form-urlencoded", form.Encode(), nil)
}

func (h *hub) refresh(path, token string) answer {
	h.t.Helper()
	return h.form(path, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// hubContact is a contact as tests look at it.
type hubContact struct {
	ID         string             `json:"id"`
	Properties map[string]*string `json:"properties"`
	CreatedAt  time.Time          `json:"createdAt"`
	UpdatedAt  time.Time          `json:"updatedAt"`
	Archived   bool               `json:"archived"`
	ArchivedAt *time.Time         `json:"archivedAt"`
}

// text is a property's value, "" for null and absent.
func (c hubContact) text(name string) string {
	if value := c.Properties[name]; value != nil {
		return *value
	}
	return ""
}

func (c hubContact) number(t *testing.T) int64 {
	t.Helper()
	id, err := strconv.ParseInt(c.ID, 10, 64)
	require.NoError(t, err)
	return id
}

// modified is lastmodifieddate, or zero for null.
func (c hubContact) modified(t *testing.T) time.Time {
	t.Helper()
	if c.text("lastmodifieddate") == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, c.text("lastmodifieddate"))
	require.NoError(t, err)
	return at
}

// hubPage is an answer of list, search or batch.
type hubPage struct {
	Total   *int         `json:"total"`
	Results []hubContact `json:"results"`
	Paging  *struct {
		Next *struct {
			After string `json:"after"`
			Link  string `json:"link"`
		} `json:"next"`
	} `json:"paging"`
	Errors []struct {
		Category string              `json:"category"`
		Context  map[string][]string `json:"context"`
	} `json:"errors"`
}

func (p hubPage) next() string {
	if p.Paging == nil || p.Paging.Next == nil {
		return ""
	}
	return p.Paging.Next.After
}

func (p hubPage) ids(t *testing.T) []int64 {
	t.Helper()
	out := []int64{}
	for _, c := range p.Results {
		out = append(out, c.number(t))
	}
	return out
}

func (h *hub) list(query string) hubPage {
	h.t.Helper()
	got := h.get(hubContacts + "?" + query)
	require.Equal(h.t, http.StatusOK, got.status, got.body)
	return decode[hubPage](h.t, got.body)
}

func (h *hub) search(body string) hubPage {
	h.t.Helper()
	got := h.post(hubSearch, body)
	require.Equal(h.t, http.StatusOK, got.status, got.body)
	page := decode[hubPage](h.t, got.body)
	require.NotNil(h.t, page.Total)
	return page
}

// walkList reads a whole list and calls between before each page but the first.
func (h *hub) walkList(query string, between func(page int)) []int64 {
	h.t.Helper()
	var all []int64
	after := ""
	for n := 0; ; n++ {
		require.Less(h.t, n, 1000, "a list that does not end")
		got := h.list(query + after)
		all = append(all, got.ids(h.t)...)
		if got.next() == "" {
			return all
		}
		after = "&after=" + url.QueryEscape(got.next())
		if between != nil {
			between(n + 1)
		}
	}
}

// changedSince is the key-set walk by id inside a window of modification times.
func (h *hub) changedSince(from, until time.Time, limit int, between func(page int)) []int64 {
	h.t.Helper()
	var all []int64
	last := int64(0)
	for n := 0; ; n++ {
		require.Less(h.t, n, 1000, "a walk that does not end")
		got := h.search(window(from, until, last, limit))
		all = append(all, got.ids(h.t)...)
		if got.next() == "" {
			return all
		}
		require.Greater(h.t, all[len(all)-1], last)
		last = all[len(all)-1]
		if between != nil {
			between(n + 1)
		}
	}
}

func window(from, until time.Time, last int64, limit int) string {
	return fmt.Sprintf(`{"filterGroups":[{"filters":[{"propertyName":"lastmodifieddate","operator":"GTE","value":"%d"},
		{"propertyName":"lastmodifieddate","operator":"LTE","value":"%d"},{"propertyName":"hs_object_id","operator":"GT","value":"%d"}]}],
		"sorts":[{"propertyName":"hs_object_id","direction":"ASCENDING"}],"properties":["email","lastmodifieddate"],"limit":%d}`,
		from.UnixMilli(), until.UnixMilli(), last, limit)
}

// hubIDs are the ids of the generated contacts with these numbers.
func hubIDs(numbers ...int64) []int64 {
	out := slices.Clone(numbers)
	for i := range out {
		out[i] += hubID - 1
	}
	return out
}

func idText(number int64) string { return strconv.FormatInt(hubID-1+number, 10) }

// put stores contacts that all were modified at one time.
func (h *hub) put(at time.Time, ids ...int64) {
	h.t.Helper()
	for _, id := range ids {
		text, err := json.Marshal(map[string]any{
			"id": strconv.FormatInt(id, 10), "createdAt": "2019-02-28T23:59:59.001Z",
			"properties": map[string]string{"lastmodifieddate": at.Format("2006-01-02T15:04:05.000Z"), "hs_object_id": strconv.FormatInt(id, 10)},
		})
		require.NoError(h.t, err)
		require.NoError(h.t, h.hubspot.Put(0, string(text)))
	}
}
