package sandbox_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func TestZohoListVisitsEveryContactOnceInOrder(t *testing.T) {
	t.Parallel()

	const contacts = 1300 // two of them without a Modified_Time
	for _, sortBy := range []string{"id", "Created_Time", "Modified_Time"} {
		for _, dir := range []string{"asc", "desc"} {
			t.Run(sortBy+" "+dir, func(t *testing.T) {
				t.Parallel()

				b := zohoSetup(t, contacts)
				_, err := b.zoho.Mutate(0, sandbox.Mutation{Update: 40, Create: 20})
				require.NoError(t, err)
				all := b.walk("per_page=97&sort_by="+sortBy+"&sort_order="+dir, nil)
				if sortBy == "id" {
					inOrder := slices.IsSorted(b.numbers(all))
					require.Equal(t, dir == "asc", inOrder)
				}
				seen := b.numbers(all)
				slices.Sort(seen)
				require.Equal(t, upTo(contacts+20), seen)
			})
		}
	}
}

func TestZohoListRefusals(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 2500)
	token := url.QueryEscape(*b.list("per_page=10&sort_order=asc").Info.NextPageToken)
	many := strings.Repeat("Email,", 50) + "Phone"
	for name, test := range map[string]struct {
		query  string
		status int
		code   string
		header string // If-Modified-Since
	}{
		"no fields":               {"per_page=10", 400, "REQUIRED_PARAM_MISSING", ""},
		"too many fields":         {"fields=" + many, 400, "LIMIT_EXCEEDED", ""},
		"a long page":             {someFields + "&per_page=201", 400, "INVALID_DATA", ""},
		"page beyond 2000":        {someFields + "&page=11", 400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", ""},
		"page and page_token":     {someFields + "&per_page=10&sort_order=asc&page=2&page_token=" + token, 400, "AMBIGUITY_DURING_PROCESSING", ""},
		"another page size":       {someFields + "&per_page=20&sort_order=asc&page_token=" + token, 400, "TOKEN_BOUND_DATA_MISMATCH", ""},
		"another order":           {someFields + "&per_page=10&sort_order=desc&page_token=" + token, 400, "TOKEN_BOUND_DATA_MISMATCH", ""},
		"other fields":            {"fields=Email&per_page=10&sort_order=asc&page_token=" + token, 400, "TOKEN_BOUND_DATA_MISMATCH", ""},
		"another since":           {someFields + "&per_page=10&sort_order=asc&page_token=" + token, 400, "TOKEN_BOUND_DATA_MISMATCH", "2020-01-01T00:00:00Z"},
		"a token nobody gave":     {someFields + "&page_token=abc", 400, "INVALID_DATA", ""},
		"an unknown order":        {someFields + "&sort_by=Email", 400, "INVALID_DATA", ""},
		"an unknown direction":    {someFields + "&sort_order=up", 400, "INVALID_DATA", ""},
		"an unknown parameter":    {someFields + "&limit=1", 400, "INVALID_DATA", ""},
		"too many ids":            {someFields + "&ids=" + strings.Repeat("1,", 100) + "1", 400, "LIMIT_EXCEEDED", ""},
		"a since that is no time": {someFields, 400, "INVALID_DATA", "yesterday"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			headers := []string{}
			if test.header != "" {
				headers = []string{"If-Modified-Since", test.header}
			}
			got := b.with(t).get(allContacts+"?"+test.query, headers...)
			require.Equal(t, test.status, got.status, got.body)
			require.Equal(t, test.code, errorCode(t, got.body))
		})
	}
	require.Len(t, b.list("page=10").Data, 200, "the last page that a number reaches")
}

func TestZohoPageTokenEndsAfterADay(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 30)
	first := b.list("per_page=10")
	next := "per_page=10&page_token=" + url.QueryEscape(*first.Info.NextPageToken)
	require.Equal(t, midday.Add(24*time.Hour), zohoTime(t, first.Info.PageTokenExpiry).UTC())
	b.sandbox.Advance(24*time.Hour - time.Second)
	b.use(0)
	require.Equal(t, 2, b.list(next).Info.Page)
	b.sandbox.Advance(time.Second)
	got := b.get(allContacts + "?" + someFields + "&" + next)
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, "EXPIRED_VALUE", errorCode(t, got.body))
}

func TestZohoListEndsAtItsLimit(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 130)
	b.configure(func(s *sandbox.ZohoSettings) { s.ListLimit = 100 })
	token, seen := "", 0
	for {
		got := b.get(allContacts + "?" + someFields + "&per_page=30" + token)
		if got.status != http.StatusOK {
			require.Equal(t, "PAGINATION_LIMIT_EXCEEDED", errorCode(t, got.body))
			break
		}
		page := decode[zohoPage](t, got.body)
		seen += len(page.Data)
		require.True(t, page.Info.MoreRecords)
		token = "&page_token=" + url.QueryEscape(*page.Info.NextPageToken)
	}
	require.Equal(t, 100, seen)
}

func TestZohoNothingHasNoBody(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 3)
	since := []string{"If-Modified-Since", midday.Format(time.RFC3339)}
	got := b.get(allContacts+"?"+someFields, since...)
	require.Equal(t, http.StatusNotModified, got.status)
	require.Empty(t, got.body)

	require.True(t, b.zoho.Update(0, b.zoho.ContactID(0, 2)))
	page := b.list("", since...)
	require.Equal(t, []int64{2}, b.numbers(page.Data), "since is inclusive")
	got = b.get(allContacts+"?"+someFields, "If-Modified-Since", midday.Add(time.Second).Format(time.RFC3339))
	require.Equal(t, http.StatusNotModified, got.status)

	got = b.get(allContacts + "?" + someFields + "&ids=" + b.zoho.ContactID(0, 99))
	require.Equal(t, http.StatusNoContent, got.status)
	require.Empty(t, got.body)
	require.Equal(t, http.StatusNoContent, b.get(allContacts+"/deleted").status)
	require.Equal(t, http.StatusNoContent, b.get(allContacts+"/"+b.zoho.ContactID(0, 99)).status)
	for _, status := range []int{http.StatusNotFound, http.StatusBadRequest} {
		b.configure(func(s *sandbox.ZohoSettings) { s.AbsentStatus = status })
		got = b.get(allContacts + "/" + b.zoho.ContactID(0, 99))
		require.Equal(t, status, got.status)
		require.Equal(t, "INVALID_DATA", errorCode(t, got.body))
	}
}

func TestZohoErrorsComeInEachForm(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	for form, want := range map[string]struct {
		status int
		begins string
	}{
		sandbox.ErrorFlat: {400, `{"code":`}, sandbox.ErrorWrapped: {400, `{"data":[{"code":`}, sandbox.ErrorOK: {200, `{"code":`},
	} {
		b.configure(func(s *sandbox.ZohoSettings) { s.ErrorForm = form })
		got := b.get(allContacts)
		require.Equal(t, want.status, got.status)
		require.True(t, strings.HasPrefix(got.body, want.begins), got.body)
		require.Equal(t, "REQUIRED_PARAM_MISSING", errorCode(t, got.body))
	}
}

func TestZohoCount(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 12)
	require.JSONEq(t, `{"count":"12"}`, b.get(allContacts+"/actions/count").body)
	require.True(t, b.zoho.Delete(0, b.zoho.ContactID(0, 12)))
	b.configure(func(s *sandbox.ZohoSettings) { s.Visible = 5 })
	require.JSONEq(t, `{"count":"5"}`, b.get(allContacts+"/actions/count").body)
	require.Len(t, b.walk("per_page=2", nil), 5)
}

// zohoDeleted is an answer of the deleted records.
type zohoDeleted struct {
	Data []struct {
		ID          string  `json:"id"`
		Type        string  `json:"type"`
		DisplayName *string `json:"display_name"`
		DeletedTime string  `json:"deleted_time"`
		DeletedBy   *struct {
			ID string `json:"id"`
		} `json:"deleted_by"`
	} `json:"data"`
	Info struct {
		Page        int  `json:"page"`
		MoreRecords bool `json:"more_records"`
	} `json:"info"`
}

// deleted lists number:type of what is deleted.
func (b *zohoBundle) deleted(query string, headers ...string) []string {
	b.t.Helper()
	got := b.get(allContacts+"/deleted?"+query, headers...)
	if got.status == http.StatusNoContent {
		return nil
	}
	require.Equal(b.t, http.StatusOK, got.status, got.body)
	var list []string
	for _, d := range decode[zohoDeleted](b.t, got.body).Data {
		require.Equal(b.t, d.Type == "recycle", d.DisplayName != nil && d.DeletedBy != nil)
		list = append(list, fmt.Sprintf("%d:%s", b.number(d.ID), d.Type))
	}
	return list
}

func TestZohoDeletedOnesAreListedOfBothTypes(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 10)
	id := func(n int64) string { return b.zoho.ContactID(0, n) }
	require.True(t, b.zoho.Delete(0, id(1)))
	b.sandbox.Advance(time.Second)
	require.True(t, b.zoho.Purge(0, id(2)))
	b.sandbox.Advance(time.Second)
	require.True(t, b.zoho.Delete(0, id(3)))
	require.False(t, b.zoho.Delete(0, id(3)))

	require.Equal(t, []string{"3:recycle", "2:permanent", "1:recycle"}, b.deleted(""))
	require.Equal(t, []string{"3:recycle", "1:recycle"}, b.deleted("type=recycle"))
	require.Equal(t, []string{"2:permanent"}, b.deleted("type=permanent"))
	require.Equal(t, []string{"2:permanent"}, b.deleted("type=all&page=2&per_page=1"))
	require.Equal(t, []string{"3:recycle", "2:permanent"}, b.deleted("", "If-Modified-Since", midday.Add(time.Second).Format(time.RFC3339)))
	require.Equal(t, http.StatusNoContent, b.get(allContacts+"/"+id(1)).status)

	b.sandbox.Advance(60*24*time.Hour - 2*time.Second)
	b.use(0)
	require.Equal(t, []string{"3:recycle", "2:permanent", "1:permanent"}, b.deleted(""), "60 days in the bin")
	require.False(t, b.zoho.Restore(0, id(1)))
	b.sandbox.Advance(60 * 24 * time.Hour)
	b.use(0)
	require.Equal(t, []string{"3:permanent", "2:permanent"}, b.deleted(""), "120 days in the list")
}

func TestZohoRestore(t *testing.T) {
	t.Parallel()

	for _, moves := range []bool{false, true} {
		b := zohoSetup(t, 5)
		b.configure(func(s *sandbox.ZohoSettings) { s.RestoreMovesTime = moves })
		before := b.list("ids=" + b.zoho.ContactID(0, 4)).Data[0]
		require.True(t, b.zoho.Delete(0, before.ID))
		require.Len(t, b.list("").Data, 4)
		b.sandbox.Advance(time.Minute)
		require.True(t, b.zoho.Restore(0, before.ID))
		after := b.list("ids=" + before.ID).Data[0]
		want := before.modified(t)
		if moves {
			want = midday.Add(time.Minute)
		}
		require.True(t, want.Equal(after.modified(t)), after)
		require.Nil(t, b.deleted(""))
		require.False(t, b.zoho.Restore(0, before.ID))
		require.True(t, b.zoho.Purge(0, before.ID))
		require.False(t, b.zoho.Restore(0, before.ID), "deleted for ever")
	}
}

func TestZohoMerge(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 5)
	winner, loser := b.zoho.ContactID(0, 2), b.zoho.ContactID(0, 3)
	b.sandbox.Advance(time.Minute)
	require.NoError(t, b.zoho.Merge(0, winner, loser))
	require.Equal(t, []string{"3:recycle"}, b.deleted(""))
	require.True(t, midday.Add(time.Minute).Equal(b.list("ids=" + winner).Data[0].modified(t)))
	require.ErrorContains(t, b.zoho.Merge(0, winner, loser), "two living contacts")
	require.ErrorContains(t, b.zoho.Merge(0, winner, winner), "two living contacts")
}

func TestZohoRecalculateMovesNoTime(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 3)
	before := b.list("ids=" + b.zoho.ContactID(0, 1)).Data[0]
	b.sandbox.Advance(time.Minute)
	require.True(t, b.zoho.Recalculate(0, before.ID))
	after := b.list("ids=" + before.ID).Data[0]
	require.Equal(t, before.ModifiedTime, after.ModifiedTime)
	require.NotEqual(t, before.Email, after.Email)
}
