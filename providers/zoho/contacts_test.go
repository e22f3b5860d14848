package zoho_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/zoho"
)

// The example of the provider's page.
const pageExample = `{"data":[
 {"id":"554023000000123001","Full_Name":"Åsa Öberg-Nguyễn","First_Name":"Åsa","Last_Name":"Öberg-Nguyễn","Email":"ASA@Example.com ","Secondary_Email":"asa@example.com","Phone":"+46 (0)8-123 456 00 anknytning 12","Mobile":"070 123 45 67","Account_Name":{"name":"Norrsken \"AB\"","id":"554023000000222001"},"Owner":{"name":"Test User","id":"554023000000090001","email":"owner@example.com"},"Tag":[{"name":"VIP","id":"554023000000333001","color_code":null}],"Email_Opt_Out":false,"Created_Time":"2020-02-29T23:30:00-08:00","Modified_Time":"2026-11-24T11:00:00+01:00"},
 {"id":"554023000000123002","First_Name":null,"Last_Name":".","Email":null,"Phone":"n/a","Account_Name":null,"Owner":null,"Tag":[],"Modified_Time":"2026-11-24T10:00:00Z"},
 {"id":"554023000000123003","Last_Name":"王 🐉","Modified_Time":"2026-11-24T15:30:00+05:30"}
],"info":{"per_page":3,"count":3,"page":1,"sort_by":"Modified_Time","sort_order":"asc","more_records":true,"next_page_token":"c8582xx-opaque-token","previous_page_token":null,"page_token_expiry":"2026-11-25T11:00:00+01:00"}}`

func TestSweepByList(t *testing.T) {
	t.Parallel()

	l := script(map[string][]answer{"/Contacts": {
		{200, map[string][]string{"X-Api-Credits-Remaining": {"2400"}}, pageExample},
		{200, nil, page(false, "", `{"id":"554023000000123004"}`)},
	}})
	source := l.source(t, zoho.Config{})
	got, err := source.ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	left := int64(2400)
	require.Equal(t, providers.Observation{Date: noon, Usage: providers.Usage{DailyRemaining: &left, Spent: 2}}, got.Observation, "the fields and the list")
	require.Equal(t, []providers.Contact{
		{
			ExternalID: "554023000000123001", Name: "Åsa Öberg-Nguyễn", FirstName: "Åsa", LastName: "Öberg-Nguyễn",
			Emails:         []providers.Address{{Value: "ASA@Example.com ", Label: "primary", Primary: true}, {Value: "asa@example.com", Label: "secondary"}},
			Phones:         []providers.Address{{Value: "+46 (0)8-123 456 00 anknytning 12", Label: "work", Primary: true}, {Value: "070 123 45 67", Label: "mobile"}},
			OrganizationID: "554023000000222001", OwnerID: "554023000000090001",
			CustomFields: []byte(`{"Email_Opt_Out":false,"Tag":["VIP"]}`),
			CreatedAt:    time.Date(2020, 3, 1, 7, 30, 0, 0, time.UTC), UpdatedAt: noon,
		},
		{ExternalID: "554023000000123002", Name: ".", LastName: ".", Phones: []providers.Address{{Value: "n/a", Label: "work", Primary: true}}, UpdatedAt: noon},
		{ExternalID: "554023000000123003", Name: "王 🐉", LastName: "王 🐉", UpdatedAt: noon},
	}, got.Contacts)

	last, err := source.ListContacts(t.Context(), providers.ListRequest{Cursor: got.Next})
	require.NoError(t, err)
	require.Equal(t, []string{"554023000000123004"}, idsOf(last))
	require.Empty(t, last.Next)
	require.EqualValues(t, 1, last.Usage.Spent)
	require.Len(t, l.to("/settings/fields"), 1, "once per source")

	asked := l.to("/Contacts")
	first, second := asked[0].url.Query(), asked[1].url.Query()
	require.Equal(t, "https://www.zohoapis.eu/crm/v8/Contacts", strings.TrimSuffix(asked[0].url.String(), "?"+asked[0].url.RawQuery))
	require.Equal(t, "c8582xx-opaque-token", second.Get("page_token"))
	second.Del("page_token")
	require.Equal(t, first, second, "a token is bound to everything else")
	require.Equal(t, []string{"id", "asc", "200"}, []string{first.Get("sort_by"), first.Get("sort_order"), first.Get("per_page")})
	require.False(t, first.Has("page"))
	require.NotContains(t, strings.Split(first.Get("fields"), ","), "Description", "a standard field that nobody asked for")
	require.Empty(t, asked[0].header.Get("If-Modified-Since"), "a sweep sees records without a time")
}

func TestNameThatComesTwiceSpoilsNoPage(t *testing.T) {
	t.Parallel()

	l := script(map[string][]answer{"/Contacts": {
		{200, nil, page(false, "", `{"id":"11","Last_Name":"A"}`, `{"id":"12","Last_Name":"B","Last_Name":"C"}`)},
	}})
	got, err := l.source(t, zoho.Config{}).ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"11", "12"}, idsOf(got))
	require.Equal(t, "C", got.Contacts[1].LastName, "the last one counts")
}
