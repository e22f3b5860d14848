package hubspot_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/hubspot"
	"example.com/enlace/providers/providertest"
	"example.com/enlace/providers/sandbox"
)

// line answers requests with what a test wrote, one after the other; the last answer stays.
type line struct {
	status int
	header http.Header
	bodies []string
	asked  []string // method and address, with what was sent
}

// RoundTrip implements http.RoundTripper.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err //nolint:wrapcheck // a transport adds nothing
		}
		sent = " " + string(text)
	}
	l.asked = append(l.asked, r.Method+" "+r.URL.String()+sent)
	body := l.bodies[min(len(l.asked), len(l.bodies))-1]
	header := l.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	if strings.HasPrefix(body, "<") {
		header.Set("Content-Type", "text/html")
	}
	return &http.Response{StatusCode: l.status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}, nil
}

func (l *line) source(everWorked bool) providers.ContactSource {
	return hubspot.New(hubspot.Config{}).Contacts(providers.Account{EverWorked: everWorked}, &http.Client{Transport: l})
}

func answers(bodies ...string) *line { return &line{status: http.StatusOK, bodies: bodies} }

func TestRecordsAreReadAsTheProviderWritesThem(t *testing.T) {
	t.Parallel()

	page, err := answers(`{"results":[
		{"id":"501","properties":{"email":"zoe@example.com","hs_additional_emails":"z.old@example.com; ; zoe@example.org; zoe@example.com","firstname":"Zoë","lastname":"O’Brien-Łukasz",
			"phone":"0049 (0) 30 / 1234-56","mobilephone":"☎","jobtitle":"CTO","company":"Café","lifecyclestage":"lead","hubspot_owner_id":"7001","createdate":"2019-02-28T23:59:59.001Z",
			"lastmodifieddate":"2026-11-24T10:00:00.120Z","hs_object_id":"501","unasked":"x","hs_merged_object_ids":"388;401;501; ","hs_calculated_merged_vids":"401:1795593600000;77:1795593600000"},
			"createdAt":"2019-02-28T23:59:59.001Z","updatedAt":"2026-11-24T10:00:00.720Z","archived":false},
		{"id":874700000021,"properties":{"email":null,"firstname":"","lastname":null,"mobilephone":"\u0000☎","lastmodifieddate":null,"hs_additional_emails":"a@example.com"},"updatedAt":"2026-11-24T10:00:00Z"},
		{"id":"3"},{"properties":{}},{"id":"5","properties":{"lastmodifieddate":"yesterday"}},{"id":"6","properties":{"email":{"x":1}}},{"id":"7","properties":[]}],
		"paging":{"next":{"after":"874700000022","link":"https://evil.example/crm?after=1"}}}`).source(false).ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	require.Equal(t, providers.Cursor("874700000022"), page.Next)
	require.Equal(t, []providers.Contact{
		{
			ExternalID: "501", Name: "Zoë O’Brien-Łukasz", FirstName: "Zoë", LastName: "O’Brien-Łukasz", OwnerID: "7001", JobTitle: "CTO",
			Emails:       []providers.Address{{Value: "zoe@example.com", Primary: true}, {Value: "z.old@example.com"}, {Value: "zoe@example.org"}},
			Phones:       []providers.Address{{Value: "0049 (0) 30 / 1234-56", Label: "phone", Primary: true}, {Value: "☎", Label: "mobilephone"}},
			CustomFields: []byte(`{"company":"Café","lifecyclestage":"lead"}`),
			CreatedAt:    time.Date(2019, 2, 28, 23, 59, 59, 1e6, time.UTC), UpdatedAt: time.Date(2026, 11, 24, 10, 0, 0, 120e6, time.UTC),
		},
		{ExternalID: "874700000021", Emails: []providers.Address{{Value: "a@example.com"}}, Phones: []providers.Address{{Value: "☎", Label: "mobilephone"}}},
		{ExternalID: "3"},
		{ExternalID: "388", Deleted: true, MergedInto: "501"},
		{ExternalID: "401", Deleted: true, MergedInto: "501"},
		{ExternalID: "401", Deleted: true, MergedInto: "501"},
		{ExternalID: "77", Deleted: true, MergedInto: "501"},
	}, page.Contacts)
	type failure struct{ id, reason, field string }
	var got []failure
	for _, f := range page.Failures {
		got = append(got, failure{f.ExternalID, f.Reason, f.Field})
	}
	require.Equal(t, []failure{{"", "no_id", ""}, {"5", "bad_time", "lastmodifieddate"}, {"6", "bad_shape", "properties"}, {"7", "bad_shape", "properties"}}, got)
}

func TestASweepAsksTheStore(t *testing.T) {
	t.Parallel()

	l := answers(`{"results":[]}`)
	_, err := l.source(false).ListContacts(t.Context(), providers.ListRequest{Cursor: "a+b", Limit: 9999})
	require.NoError(t, err)
	require.Less(t, len(l.asked[0]), 6000, "a longer address is refused")
	require.True(t, strings.HasPrefix(l.asked[0], "GET https://api.hubapi.com/crm/v3/objects/contacts?after=a%2Bb&archived=false&limit=100&properties=email%2C"), l.asked[0])
}

// A walk over changes: the first answer's Date closes the window, ids lead on, and the provider's own cursor is never used.
func TestChangesAreReadByIDInAClosedWindow(t *testing.T) {
	t.Parallel()

	l := answers(
		`{"total":3,"results":[{"id":"501","properties":{"hs_merged_object_ids":"9999"}},{"id":"9000000000000000001","properties":[]}],"paging":{"next":{"after":"2"}}}`,
		`{"total":1,"results":[{"id":"9000000000000000002"}]}`,
	)
	l.header = http.Header{"Date": {"Wed, 25 Nov 2026 08:15:00 GMT"}}
	req := providers.ListRequest{UpdatedSince: time.UnixMilli(1795593480700)}
	first, err := l.source(false).ListContacts(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, providers.Cursor("1795593480000|1795594500000|9000000000000000001"), first.Next, "9999 was only mentioned")
	require.EqualValues(t, 3, first.Total)
	l.header.Set("Date", "Wed, 25 Nov 2026 08:16:00 GMT")
	last, err := l.source(false).ListContacts(t.Context(), providers.ListRequest{UpdatedSince: req.UpdatedSince, Cursor: first.Next})
	require.NoError(t, err)
	require.Empty(t, last.Next)

	type body struct {
		FilterGroups []struct{ Filters []map[string]string }
		Sorts        []map[string]string
		Properties   []string
		Limit        int
		After        string
	}
	for i, want := range []string{
		`[{"propertyName":"lastmodifieddate","operator":"GTE","value":"1795593480000"},{"propertyName":"hs_object_id","operator":"GT","value":"0"}]`,
		`[{"propertyName":"lastmodifieddate","operator":"GTE","value":"1795593480000"},{"propertyName":"hs_object_id","operator":"GT","value":"9000000000000000001"},
			{"propertyName":"lastmodifieddate","operator":"LTE","value":"1795594500000"}]`,
	} {
		text, found := strings.CutPrefix(l.asked[i], "POST https://api.hubapi.com/crm/v3/objects/contacts/search ")
		require.True(t, found, l.asked[i])
		var sent body
		require.NoError(t, json.Unmarshal([]byte(text), &sent))
		filters, err := json.Marshal(sent.FilterGroups[0].Filters)
		require.NoError(t, err)
		require.JSONEq(t, want, string(filters))
		require.Equal(t, []map[string]string{{"propertyName": "hs_object_id", "direction": "ASCENDING"}}, sent.Sorts)
		require.Equal(t, 200, sent.Limit)
		require.Contains(t, sent.Properties, "hs_merged_object_ids")
		require.Empty(t, sent.After)
	}
}

func TestAWalkThatDoesNotGoOnIsNoEnd(t *testing.T) {
	t.Parallel()

	since := time.UnixMilli(1795593480000)
	for sentence, tt := range map[string]struct {
		cursor providers.Cursor
		body   string
		kind   providers.ErrorKind
	}{
		"the same page again":         {"1795593480000|1795594500000|501", `{"results":[{"id":"500"},{"id":"501"}],"paging":{"next":{"after":"2"}}}`, providers.SchemaChanged},
		"an empty page with a cursor": {"1795593480000|1795594500000|501", `{"results":[],"paging":{"next":{"after":"2"}}}`, providers.SchemaChanged},
		"null for a list":             {"1795593480000|1795594500000|501", `{"results":null}`, providers.SchemaChanged},
		"no list":                     {"", `{"total":0}`, providers.SchemaChanged},
		"a cursor of another version": {"501", `{"results":[]}`, providers.CursorExpired},
	} {
		_, err := answers(tt.body).source(false).ListContacts(t.Context(), providers.ListRequest{UpdatedSince: since, Cursor: tt.cursor})
		require.Equal(t, tt.kind, providers.KindOf(err), sentence)
	}
}

// More than search can page through, all of one time, while the walk's own records move.
func TestChangesBeyondTenThousand(t *testing.T) {
	t.Parallel()

	const n = 10_500
	a := newAccount(t, sandbox.Config{Contacts: n}, nil)
	source := a.Source(t, providertest.SourceOptions{})
	moved := a.Living(t)[3]
	seen := map[string]bool{}
	req := providers.ListRequest{UpdatedSince: time.Unix(0, 0)}
	for {
		page, err := source.ListContacts(t.Context(), req)
		require.NoError(t, err)
		for _, c := range page.Contacts {
			require.False(t, seen[c.ExternalID], "record %s came twice", c.ExternalID)
			seen[c.ExternalID] = true
		}
		if req.Cursor = page.Next; req.Cursor == "" {
			break
		}
		a.Update(t, moved)
	}
	require.Greater(t, len(seen), 10_000)
	require.Equal(t, 0, a.fake.AnswersLeft())
}

func TestAMergeEndsItsLostContacts(t *testing.T) {
	t.Parallel()

	for _, lost := range []string{sandbox.LostIDSurvivor, sandbox.LostIDGone} {
		for _, newID := range []bool{true, false} {
			t.Run(lost+" "+strconv.FormatBool(newID), func(t *testing.T) {
				t.Parallel()

				a := newAccount(t, sandbox.Config{Contacts: 5}, nil)
				require.NoError(t, a.fake.Configure(func(s *sandbox.HubSpotSettings) { s.LostID, s.MergeNewID = lost, newID }))
				living := a.Living(t)
				done, err := a.fake.Merge(sandbox.DefaultPortal, number(t, living[1]), number(t, living[2]))
				require.NoError(t, err)
				survivor := strconv.FormatInt(done.Survivor, 10)
				source := a.Source(t, providertest.SourceOptions{})
				for _, since := range []time.Time{{}, time.Unix(0, 0)} {
					page, err := source.ListContacts(t.Context(), providers.ListRequest{UpdatedSince: since})
					require.NoError(t, err)
					gone := map[string]string{}
					for _, c := range page.Contacts {
						require.Equal(t, c.Deleted, c.MergedInto != "")
						if c.Deleted {
							gone[c.ExternalID] = c.MergedInto
						}
					}
					require.Len(t, gone, len(done.Lost))
					for _, id := range done.Lost {
						require.Equal(t, survivor, gone[strconv.FormatInt(id, 10)])
					}
				}
				for _, id := range done.Lost {
					contact, _, err := source.ReadContact(t.Context(), strconv.FormatInt(id, 10))
					if lost == sandbox.LostIDGone {
						require.Equal(t, providers.NotFound, providers.KindOf(err))
						continue
					}
					require.NoError(t, err)
					require.Equal(t, providers.Contact{ExternalID: strconv.FormatInt(id, 10), Deleted: true, MergedInto: survivor}, contact)
				}
				one, _, err := source.ReadContact(t.Context(), survivor)
				require.NoError(t, err)
				require.False(t, one.Deleted)
			})
		}
	}
}

func TestArchivedIsProvenAndErasedIsAbsent(t *testing.T) {
	t.Parallel()

	a := newAccount(t, sandbox.Config{Contacts: 250}, nil)
	living := a.Living(t)
	source := a.Source(t, providertest.SourceOptions{})
	for _, id := range living[:120] {
		a.Delete(t, id)
	}
	require.True(t, a.fake.Erase(sandbox.DefaultPortal, number(t, living[200])))
	var deleted []string
	for cursor := providers.Cursor(""); ; {
		page, err := source.(providers.DeletedLister).ListDeleted(t.Context(), time.Now().Add(time.Hour), cursor)
		require.NoError(t, err)
		require.NotNil(t, page.Usage.BurstRemaining)
		deleted = append(deleted, page.ExternalIDs...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	require.ElementsMatch(t, living[:120], deleted)
	one, seen, err := source.ReadContact(t.Context(), living[0])
	require.NoError(t, err)
	require.True(t, one.Deleted)
	require.Empty(t, one.MergedInto)
	require.False(t, seen.Date.IsZero())
	_, _, err = source.ReadContact(t.Context(), living[200])
	require.Equal(t, providers.NotFound, providers.KindOf(err))
}

func TestUsageIsWhatHoldsForTheCall(t *testing.T) {
	t.Parallel()

	n := func(n int64) *int64 { return &n }
	l := answers(`{"results":[],"total":7}`)
	l.header = http.Header{
		"Date": {"Wed, 25 Nov 2026 08:15:00 GMT"}, "X-Hubspot-Ratelimit-Max": {"110"}, "X-Hubspot-Ratelimit-Remaining": {"109"},
		"X-Hubspot-Ratelimit-Interval-Milliseconds": {"10000"}, "X-Hubspot-Ratelimit-Secondly": {"11"},
	}
	page, err := l.source(false).ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	require.Equal(t, providers.Usage{BurstLimit: n(110), BurstWindow: 10 * time.Second, BurstRemaining: n(109)}, page.Usage)
	l.header = nil
	page, err = l.source(false).ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	require.Equal(t, providers.Observation{}, page.Observation, "silence is silence")
	total, seen, err := l.source(false).(providers.ContactCounter).CountContacts(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 7, total)
	require.Equal(t, providers.Usage{BurstLimit: n(5), BurstWindow: 2 * time.Second}, seen.Usage, "a search has its own limit")
}
