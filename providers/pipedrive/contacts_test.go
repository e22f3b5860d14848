package pipedrive_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
)

// testdata/page.json holds every shape that the provider's page warns of; good and bad records alternate in it.
func TestABadRecordSpoilsNoOther(t *testing.T) {
	t.Parallel()

	data, err := os.ReadFile("testdata/page.json")
	require.NoError(t, err)
	page := readPage(t, string(data))

	require.Equal(t, []string{"1", "2", "3", "4", "0005", "90071992547409931234"}, idsOf(page))
	zoe := page.Contacts[0]
	require.Equal(t, "Zoë O’Brien-Łukasz", zoe.Name)
	require.Equal(t, "31", zoe.OrganizationID)
	require.Equal(t, "7001", zoe.OwnerID)
	require.JSONEq(t, `{"4a5b6c7d8e9f00112233445566778899aabbccdd":{"value":2300,"currency":"EUR"},"1111111111111111111111111111111111111111":[12,13]}`, string(zoe.CustomFields))
	require.Equal(t, "0049 (0) 30 / 1234-56 ext. 7", zoe.Phones[0].Value)
	require.Equal(t, providers.Contact{ExternalID: "2", CreatedAt: time.Date(2011, 5, 1, 0, 0, 0, 0, time.UTC)}, page.Contacts[1])
	require.Equal(t, "李小龍 🐉", page.Contacts[2].Name)
	require.Equal(t, time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), page.Contacts[2].UpdatedAt)
	require.True(t, page.Contacts[3].Deleted)
	require.Equal(t, "weird\a", page.Contacts[3].Name, "NUL is gone, the rest stays")
	require.Equal(t, []providers.Address{{Value: "4930123456", Label: "7", Primary: true}, {}}, page.Contacts[4].Phones, "an odd phone is no reason")
	require.True(t, page.Contacts[4].CreatedAt.IsZero(), "nothing is decided by the creation time")

	type failure struct{ id, reason, field, detail string }
	var got []failure
	for _, f := range page.Failures {
		got = append(got, failure{f.ExternalID, f.Reason, f.Field, f.Detail})
		require.NotEmpty(t, f.Payload)
	}
	require.Equal(t, []failure{
		{"", "no_id", "", ""},
		{"", "no_id", "", ""},
		{"", "bad_shape", "id", ""},
		{"10", "bad_time", "update_time", "yesterday"},
		{"11", "bad_shape", "emails", ""},
		{"12", "bad_shape", "name", ""},
		{"13", "bad_shape", "custom_fields", ""},
		{"14", "bad_shape", "owner_id", ""},
		{"", "no_id", "", ""},
		{"", "bad_shape", "", ""},
	}, got)
	require.JSONEq(t, `{"name":"no id"}`, string(page.Failures[0].Payload))
}

func TestAHugeRecordIsLeftOut(t *testing.T) {
	t.Parallel()

	page := readPage(t, `[{"id":1},{"name":"`+strings.Repeat("é", 600_000)+`","id":2},{"id":3}]`)
	require.Equal(t, []string{"1", "3"}, idsOf(page))
	require.Len(t, page.Failures, 1)
	f := page.Failures[0]
	require.Equal(t, "too_large", f.Reason)
	require.Equal(t, "2", f.ExternalID)
	require.InDelta(t, providers.MaxFailurePayload, len(f.Payload), utf8.UTFMax)
	require.LessOrEqual(t, len(f.Payload), providers.MaxFailurePayload)
	require.True(t, utf8.Valid(f.Payload), "no character is cut in half")
}

func TestUsageIsWhatTheHeadersSay(t *testing.T) {
	t.Parallel()

	read := func(header http.Header) providers.Observation {
		l := &line{status: 200, header: header, body: `{"data":[]}`}
		page, err := pipedrive.New(pipedrive.Config{}).Contacts(providers.Account{}, l.client()).ListContacts(t.Context(), providers.ListRequest{})
		require.NoError(t, err)
		return page.Observation
	}
	n := func(n int64) *int64 { return &n }
	require.Equal(t, providers.Observation{Usage: providers.Usage{Spent: 10}}, read(nil), "silence is silence, beside the price")
	require.Equal(t, providers.Observation{
		Date:  time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		Usage: providers.Usage{Spent: 10, BurstLimit: n(80), BurstWindow: 2 * time.Second, BurstRemaining: n(79), DailyLimit: n(30_000), DailyRemaining: n(0)},
	}, read(http.Header{
		"Date": {"Tue, 24 Nov 2026 10:00:00 GMT"}, "X-Ratelimit-Limit": {"80"}, "X-Ratelimit-Remaining": {"79"},
		"X-Daily-Ratelimit-Token-Limit": {"30000"}, "X-Daily-Ratelimit-Token-Remaining": {"0"},
	}))
}

func TestRequests(t *testing.T) {
	t.Parallel()

	l := &line{status: 200, body: `{"data":{"id":"a/b"}}`}
	source := pipedrive.New(pipedrive.Config{}).Contacts(providers.Account{APIDomain: "https://x.pipedrive.com"}, l.client())
	contact, _, err := source.ReadContact(t.Context(), "a/b")
	require.NoError(t, err)
	require.Equal(t, "a/b", contact.ExternalID)
	require.Equal(t, "https://x.pipedrive.com/api/v2/persons/a%2Fb", l.asked[0].URL.String())
	require.Equal(t, "application/json", l.asked[0].Header.Get("Accept"))
	require.Equal(t, "enlace", l.asked[0].Header.Get("User-Agent"))

	l = &line{status: 200, body: `{"data":[]}`}
	source = pipedrive.New(pipedrive.Config{}).Contacts(providers.Account{}, l.client())
	_, err = source.ListContacts(t.Context(), providers.ListRequest{Cursor: "a+b/c=&d", Limit: 9999})
	require.NoError(t, err)
	require.Equal(t, "api.pipedrive.com", l.asked[0].URL.Host, "a grant without an API domain")
	require.Equal(t, "a+b/c=&d", l.asked[0].URL.Query().Get("cursor"))
	require.Equal(t, "500", l.asked[0].URL.Query().Get("limit"), "more would be refused")
}
