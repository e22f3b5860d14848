package pipedrive_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/providertest"
	"example.com/enlace/providers/sandbox"
)

// The situations that were met in public, as far as the adapter alone decides them. Each returns what the source was
// told when the fake gave the case's scripted answers.
func TestCases(t *testing.T) {
	t.Parallel()

	t.Run("crm-pd-03: records without an update time are read, and a sweep does not filter by time", func(t *testing.T) {
		t.Parallel()

		a := scripted(t, "pd-03-null-update-time")
		page, err := a.Source(t, providertest.SourceOptions{}).ListContacts(t.Context(), providers.ListRequest{})
		require.NoError(t, err)
		require.Empty(t, page.Failures)
		require.Equal(t, []string{"11", "12", "13"}, idsOf(page))
		require.True(t, page.Contacts[0].UpdatedAt.IsZero())
		require.True(t, page.Contacts[1].UpdatedAt.IsZero())
		require.Equal(t, time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), page.Contacts[2].UpdatedAt)
		require.Equal(t, time.Date(2011, 5, 1, 0, 0, 0, 0, time.UTC), page.Contacts[0].CreatedAt)
		require.Empty(t, page.Next)
		require.Equal(t, url.Values{"limit": {"500"}, "sort_by": {"id"}, "sort_direction": {"asc"}}, asked(t, a)[0])
	})

	t.Run("crm-pd-04: a page is the last one only if it has no cursor", func(t *testing.T) {
		t.Parallel()

		a := scripted(t, "pd-04-cursor-shapes")
		var got []string
		req := providers.ListRequest{UpdatedSince: time.Date(2026, 11, 24, 9, 0, 0, 999, time.FixedZone("", 3600))}
		for range 4 {
			page, err := a.Source(t, providertest.SourceOptions{}).ListContacts(t.Context(), req)
			require.NoError(t, err)
			got = append(got, idsOf(page)...)
			req.Cursor = page.Next
		}
		require.Empty(t, req.Cursor)
		require.Equal(t, []string{"1", "2", "3"}, got)
		for i, query := range asked(t, a) {
			require.Equal(t, []string{"", "c1", "c2", "c3"}[i], query.Get("cursor"))
			query.Del("cursor")
			require.Equal(t, url.Values{"limit": {"500"}, "sort_by": {"update_time"}, "sort_direction": {"asc"}, "updated_since": {"2026-11-24T08:00:00Z"}}, query)
		}
	})

	t.Run("crm-pd-09: nulls everywhere, odd addresses as they are, no v1 names", func(t *testing.T) {
		t.Parallel()

		page, err := scripted(t, "pd-09-v2-fields-and-nulls").Source(t, providertest.SourceOptions{}).ListContacts(t.Context(), providers.ListRequest{})
		require.NoError(t, err)
		require.Empty(t, page.Failures)
		at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
		require.Equal(t, []providers.Contact{
			{ExternalID: "21", UpdatedAt: at},
			{
				ExternalID: "22", Name: "Ann", UpdatedAt: at,
				Emails: []providers.Address{{Value: "", Label: "", Primary: true}, {Value: " Ann@Example.com ", Label: "Büro"}, {Value: "ann@example.com", Label: "home", Primary: true}},
				Phones: []providers.Address{{Value: "call me", Primary: true}},
			},
			{ExternalID: "23", Name: "Bobby", UpdatedAt: at},
		}, page.Contacts)
		main, ok := providers.Main(page.Contacts[1].Emails)
		require.True(t, ok)
		require.Equal(t, "ann@example.com", main.Value)
	})

	t.Run("crm-pd-10: a fault of theirs is waited for, and a cut-off answer is never an empty page", func(t *testing.T) {
		t.Parallel()

		source := scripted(t, "pd-10-server-error-shapes").Source(t, providertest.SourceOptions{})
		for range 3 {
			page, err := source.ListContacts(t.Context(), providers.ListRequest{})
			require.Equal(t, providers.Transient, providers.KindOf(err))
			page.Observation = providers.Observation{}
			require.Empty(t, page)
			require.Less(t, len(err.Error()), 200)
		}
		page, err := source.ListContacts(t.Context(), providers.ListRequest{})
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2"}, idsOf(page))
	})

	t.Run("crm-pd-13: a retired endpoint is the operator's", func(t *testing.T) {
		t.Parallel()

		_, err := scripted(t, "pd-13-endpoint-retired").Source(t, providertest.SourceOptions{}).ListContacts(t.Context(), providers.ListRequest{})
		requireError(t, err, providers.Misconfigured, "request")
	})

	t.Run("crm-pd-14: a burst and a spent day are told apart", func(t *testing.T) {
		t.Parallel()

		source := scripted(t, "pd-14-daily-budget").Source(t, providertest.SourceOptions{})
		begun := time.Now()
		_, err := source.ListContacts(t.Context(), providers.ListRequest{})
		burst := requireError(t, err, providers.RateLimited, "")
		require.WithinDuration(t, begun.Add(2*time.Second), burst.RetryAt, time.Since(begun))
		page, err := source.ListContacts(t.Context(), providers.ListRequest{})
		require.NoError(t, err)
		require.Equal(t, providers.Cursor("c1"), page.Next)
		_, err = source.ListContacts(t.Context(), providers.ListRequest{Cursor: page.Next})
		day := requireError(t, err, providers.QuotaExhausted, "")
		require.Equal(t, time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1), day.RetryAt)
	})

	t.Run("crm-pd-15: the firewall's page is a pause, a 403 about the scope is not", func(t *testing.T) {
		t.Parallel()

		a := scripted(t, "pd-15-cloudflare-403")
		begun := time.Now()
		_, err := a.Source(t, providertest.SourceOptions{}).ListContacts(t.Context(), providers.ListRequest{})
		blocked := requireError(t, err, providers.RateLimited, "")
		require.False(t, blocked.RetryAt.Before(begun.Add(15*time.Minute)))
		require.NoError(t, a.fake.Faults(sandbox.Fault{Kind: sandbox.Fault403Scope}))
		_, err = a.Source(t, providertest.SourceOptions{}).ListContacts(t.Context(), providers.ListRequest{})
		requireError(t, err, providers.Misconfigured, "app")
	})
}

func requireError(t *testing.T, err error, kind providers.ErrorKind, variant string) providers.Error {
	t.Helper()
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind)
	require.Equal(t, variant, e.Variant)
	return *e
}

// scripted is an account whose persons answer as a case of ../shared/cases/crm says.
func scripted(t *testing.T, name string) *account {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../shared/cases/crm", name+".json"))
	if os.IsNotExist(err) {
		t.Skip("the shared cases are not beside this repository")
	}
	require.NoError(t, err)
	type reply struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	}
	var situation struct {
		Given struct {
			Calls []struct {
				reply
				Reply *reply `json:"reply"`
			} `json:"calls"`
		} `json:"given"`
	}
	require.NoError(t, json.Unmarshal(text, &situation))
	require.NotEmpty(t, situation.Given.Calls)

	a := newAccount(t, sandbox.Config{}, nil)
	for _, call := range situation.Given.Calls {
		answer := call.reply
		if call.Reply != nil {
			answer = *call.Reply
		}
		header := http.Header{}
		for name, value := range answer.Headers {
			header.Set(name, value)
		}
		body := string(answer.Body)
		if body[0] == '"' { // text as it is sent
			require.NoError(t, json.Unmarshal(answer.Body, &body))
		}
		a.fake.Script(persons, sandbox.Answer{Status: answer.Status, Header: header, Body: body})
	}
	t.Cleanup(func() { require.Zero(t, a.fake.AnswersLeft(), "the case has answers that nobody asked for") })
	return a
}

// asked are the queries of the list, in order.
func asked(t *testing.T, a *account) []url.Values {
	t.Helper()
	var queries []url.Values
	for _, r := range a.fake.Requests() {
		query, err := url.ParseQuery(r.Query)
		require.NoError(t, err)
		queries = append(queries, query)
	}
	return queries
}

func idsOf(page providers.Page) []string {
	ids := []string{}
	for _, c := range page.Contacts {
		ids = append(ids, c.ExternalID)
	}
	return ids
}

// readPage lists the records of one scripted page.
func readPage(t *testing.T, data string) providers.Page {
	t.Helper()
	l := &line{status: 200, body: `{"success":true,"data":` + data + `,"additional_data":{"next_cursor":null}}`}
	page, err := pipedrive.New(pipedrive.Config{}).Contacts(providers.Account{}, l.client()).ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	return page
}
