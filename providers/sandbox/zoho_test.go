package sandbox_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/sandbox/spectest"
)

const (
	allContacts = "/crm/v8/Contacts"
	someFields  = "fields=Last_Name,Email,Modified_Time,Created_Time"
	scopesAsked = "ZohoCRM.modules.contacts.READ,ZohoCRM.org.READ,ZohoCRM.users.READ"
)

// zohoBundle is a running sandbox and a client of its Zoho.
type zohoBundle struct {
	*bundle
	zoho     *sandbox.Zoho
	host     string // of the first org's API
	accounts string // where its tokens come from
	base     string // of all of Zoho
	access   string
	refresh  string
}

// bareZoho starts a sandbox of its own with a clock that only tests move.
func bareZoho(t *testing.T, contacts int) *zohoBundle {
	t.Helper()
	s := sandbox.New(sandbox.Config{Contacts: contacts, Companies: 3, Now: func() time.Time { return midday }})
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(s.Close)
	s.SetBaseURL(server.URL)
	b := &zohoBundle{
		bundle: &bundle{t: t, sandbox: s, client: server.Client(), control: server.URL + "/sandbox/control/zoho"},
		zoho:   s.Zoho(), base: server.URL + "/sandbox/zoho",
	}
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.use(0)
	return b
}

// zohoSetup is bareZoho with all traffic checked against the published documents.
func zohoSetup(t *testing.T, contacts int) *zohoBundle {
	t.Helper()
	b := bareZoho(t, contacts)
	b.client.Transport = spectest.ZohoTransport(t, b.client.Transport)
	return b
}

// with is the same fake for another test.
func (b *zohoBundle) with(t *testing.T) *zohoBundle {
	t.Helper()
	mine, bundle := *b, *b.bundle
	bundle.t, mine.bundle = t, &bundle
	return &mine
}

// use goes on as an org.
func (b *zohoBundle) use(org int) {
	b.t.Helper()
	tokens := b.zoho.IssueTokens(org)
	b.access, b.refresh, b.host, b.accounts = tokens.AccessToken, tokens.RefreshToken, tokens.APIDomain, b.zoho.AccountsServer(org)
}

func (b *zohoBundle) configure(change func(*sandbox.ZohoSettings)) {
	b.t.Helper()
	require.NoError(b.t, b.zoho.Configure(change))
}

// ask calls the API as the bundle's org; headers are pairs.
func (b *zohoBundle) ask(method, path, body string, headers ...string) answer {
	b.t.Helper()
	kind := ""
	if body != "" {
		kind = "application/json"
	}
	return b.send(method, b.host+path, kind, body, func(r *http.Request) {
		r.Header.Set("Authorization", "Zoho-oauthtoken "+b.access)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
	})
}

func (b *zohoBundle) get(path string, headers ...string) answer {
	b.t.Helper()
	return b.ask(http.MethodGet, path, "", headers...)
}

// zohoContact is what tests look at of a contact.
type zohoContact struct {
	ID           string  `json:"id"`
	LastName     *string `json:"Last_Name"`
	Email        *string `json:"Email"`
	CreatedTime  *string `json:"Created_Time"`
	ModifiedTime *string `json:"Modified_Time"`
}

func (c zohoContact) modified(t *testing.T) time.Time {
	t.Helper()
	return zohoTime(t, c.ModifiedTime)
}

func zohoTime(t *testing.T, text *string) time.Time {
	t.Helper()
	if text == nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, *text)
	require.NoError(t, err)
	return at
}

// zohoPage is an answer of the list.
type zohoPage struct {
	Data []zohoContact `json:"data"`
	Info struct {
		PerPage         int     `json:"per_page"`
		Count           int     `json:"count"`
		Page            int     `json:"page"`
		SortBy          string  `json:"sort_by"`
		SortOrder       string  `json:"sort_order"`
		MoreRecords     bool    `json:"more_records"`
		NextPageToken   *string `json:"next_page_token"`
		PageTokenExpiry *string `json:"page_token_expiry"`
	} `json:"info"`
}

func (b *zohoBundle) list(query string, headers ...string) zohoPage {
	b.t.Helper()
	got := b.get(allContacts+"?"+someFields+"&"+query, headers...)
	require.Equal(b.t, http.StatusOK, got.status, got.body)
	return decode[zohoPage](b.t, got.body)
}

// walk reads a whole list by page_token and calls between before each page but
// the first.
func (b *zohoBundle) walk(query string, between func(page int), headers ...string) []zohoContact {
	b.t.Helper()
	var all []zohoContact
	token := ""
	for n := 0; ; n++ {
		require.Less(b.t, n, 1000, "a list that does not end")
		got := b.list(query+token, headers...)
		require.Equal(b.t, n+1, got.Info.Page)
		require.Len(b.t, got.Data, got.Info.Count)
		all = append(all, got.Data...)
		if !got.Info.MoreRecords {
			require.Nil(b.t, got.Info.NextPageToken)
			return all
		}
		token = "&page_token=" + url.QueryEscape(*got.Info.NextPageToken)
		if between != nil {
			between(n + 1)
		}
	}
}

// numbers are the contacts' numbers within the first org.
func (b *zohoBundle) numbers(list []zohoContact) []int64 {
	b.t.Helper()
	out := make([]int64, len(list))
	for i, c := range list {
		out[i] = b.number(c.ID)
	}
	return out
}

func (b *zohoBundle) number(id string) int64 {
	b.t.Helper()
	require.Regexp(b.t, `^\d{18}$`, id)
	var n, base int64
	_, err := fmt.Sscan(id, &n)
	require.NoError(b.t, err)
	_, err = fmt.Sscan(b.zoho.ContactID(0, 0), &base)
	require.NoError(b.t, err)
	return n - base
}

// post asks an accounts host for tokens with our app's credentials.
func (b *zohoBundle) post(host string, fields url.Values) answer {
	b.t.Helper()
	form := url.Values{"client_id": {sandbox.DefaultClientID}, "client_secret": {sandbox.DefaultClientSecret}}
	maps.Copy(form, fields)
	return b.send(http.MethodPost, host+"/oauth/v2/token", "application/x-www-form-urlencoded", form.Encode(), nil)
}

func (b *zohoBundle) refreshAt(host, token string) answer {
	b.t.Helper()
	return b.post(host, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// errorCode is the code of an error of the API in any of its forms.
func errorCode(t *testing.T, body string) string {
	t.Helper()
	type one struct{ Code, Status string }
	got := decode[struct {
		one
		Data, Watch []one
	}](t, body)
	for _, list := range [][]one{{got.one}, got.Data, got.Watch} {
		if len(list) > 0 && list[0].Code != "" {
			require.Equal(t, "error", list[0].Status, body)
			return list[0].Code
		}
	}
	return strings.TrimSpace(body)
}
