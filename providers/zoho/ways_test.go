package zoho_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/zoho"
)

// custom is a custom field's metadata.
func custom(name, dataType string) meta {
	return meta{"api_name": name, "data_type": dataType, "custom_field": true}
}

// manyFields are the standard ones and n custom ones of text.
func manyFields(n int) string {
	fields := standardFields()
	for i := range n {
		fields = append(fields, custom(fmt.Sprintf("Custom_%03d", i), "text"))
	}
	return fieldsOf(fields...)
}

const (
	added   = `{"data":[{"status":"success","code":"ADDED_SUCCESSFULLY","message":"Added successfully.","details":{"id":"554023000000800001"}}],"info":{}}`
	running = `{"data":[{"id":"554023000000800001","state":"IN PROGRESS","created_time":"2026-11-24T10:59:00+01:00"}]}`
	nothing = `{"data":[],"info":{"more_records":false}}`
)

func done(more bool) string {
	return fmt.Sprintf(`{"data":[{"id":"554023000000800001","state":"COMPLETED","created_time":"2026-11-24T10:59:00+01:00","result":{"page":1,"count":1,"more_records":%t}}]}`, more)
}

// zipped is an export's file.
func zipped(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("554023000000800001.csv")
	require.NoError(tb, err)
	_, err = f.Write([]byte(text))
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return b.String()
}

// The way of a sweep follows from how many records there may be and from what each way costs.
func TestTheWayOfASweep(t *testing.T) {
	t.Parallel()

	const byList, byQuery, byExport = "/crm/v8/Contacts", "/crm/v8/coql", "/crm/bulk/v8/read"
	for what, c := range map[string]struct {
		full            zoho.Mode
		expected, limit int64
		fields          int
		want            string
	}{
		"nobody knows how many":                     {"", 0, 0, 0, byList},
		"as many as a list gives":                   {zoho.Auto, 100_000, 0, 0, byList},
		"one more: a query costs more":              {"", 100_001, 0, 0, byExport},
		"a million":                                 {"", 1_000_000, 0, 0, byExport},
		"a query costs as much as an export":        {"", 40_000, 1000, 0, byQuery},
		"a query costs a little more":               {"", 40_001, 1000, 0, byExport},
		"more fields than one call names":           {"", 5_100, 1000, 60, byQuery},
		"more fields make the query the dearer one": {"", 5_101, 1000, 60, byExport},
		"the operator wants lists":                  {zoho.List, 1_000_000, 0, 0, byList},
		"the operator wants queries":                {zoho.Keyset, 10, 0, 0, byQuery},
		"the operator wants exports":                {zoho.Bulk, 10, 0, 0, byExport},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()

			l := script(map[string][]answer{
				"/settings/fields": {{200, nil, manyFields(c.fields)}}, "/Contacts": {{200, nil, nothing}}, "/coql": {{204, nil, ""}}, "/bulk/v8/read": {{201, nil, added}},
			})
			_, err := l.source(t, zoho.Config{Full: c.full, ListLimit: c.limit}).ListContacts(t.Context(), providers.ListRequest{Expected: c.expected})
			require.NoError(t, err)
			require.Len(t, l.asked, 2, "the fields, and the first page")
			require.Equal(t, c.want, l.asked[1].url.Path)
		})
	}
}

func TestAWayThatIsRefusedIsFollowedByAPlainerOne(t *testing.T) {
	t.Parallel()

	record := `{"id":"554023000000123001","Last_Name":"A"}`
	for what, refusal := range map[string]answer{
		"a scope that is missing":      {401, nil, failure("OAUTH_SCOPE_MISMATCH")},
		"a profile that may not":       {403, nil, failure("NO_PERMISSION")},
		"an edition that has no such":  {400, nil, failure("NOT_SUPPORTED_FEATURE")},
		"a field that it doesn't know": {400, nil, failure("INVALID_QUERY")},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()

			l := script(map[string][]answer{"/bulk/v8/read": {refusal}, "/coql": {refusal}, "/Contacts": {{200, nil, page(true, "t1", record)}}})
			source := l.source(t, zoho.Config{})
			req := providers.ListRequest{Expected: 1_000_000}
			got, err := source.ListContacts(t.Context(), req)
			require.NoError(t, err)
			require.Equal(t, []string{"554023000000123001"}, idsOf(got))
			require.EqualValues(t, 1+50+3+1, got.Usage.Spent)
			req.Cursor = got.Next
			_, err = source.ListContacts(t.Context(), req)
			require.NoError(t, err)
			require.Len(t, l.to("/bulk/v8/read"), 1, "the way is chosen once")
			require.Len(t, l.to("/coql"), 1)
		})
	}
	t.Run("a hiccup is no refusal", func(t *testing.T) {
		t.Parallel()

		l := script(map[string][]answer{"/bulk/v8/read": {{500, nil, failure("INTERNAL_ERROR")}}})
		_, err := l.source(t, zoho.Config{}).ListContacts(t.Context(), providers.ListRequest{Expected: 1_000_000})
		requireError(t, err, providers.Transient, "")
		require.Len(t, l.asked, 2)
	})
}

func TestAListThatIsTooLongGoesOnAsQueries(t *testing.T) {
	t.Parallel()

	l := script(map[string][]answer{
		"/Contacts": {{200, nil, page(true, "t1", `{"id":"554023000000123001"}`, `{"id":"554023000000123002"}`)}, {400, nil, failure("PAGINATION_LIMIT_EXCEEDED")}},
		"/coql":     {{200, nil, page(true, "", `{"id":"554023000000123003"}`)}, {200, nil, page(false, "", `{"id":"554023000000123004"}`)}},
	})
	source := l.source(t, zoho.Config{})
	var got []string
	req := providers.ListRequest{}
	for range 3 {
		one, err := source.ListContacts(t.Context(), req)
		require.NoError(t, err)
		got = append(got, idsOf(one)...)
		req.Cursor = one.Next
	}
	require.Empty(t, req.Cursor)
	require.Equal(t, []string{"554023000000123001", "554023000000123002", "554023000000123003", "554023000000123004"}, got)
	var first, second struct {
		Query string `json:"select_query"`
	}
	require.NoError(t, json.Unmarshal([]byte(l.to("/coql")[0].body), &first))
	require.NoError(t, json.Unmarshal([]byte(l.to("/coql")[1].body), &second))
	require.Contains(t, first.Query, " from Contacts where id > '554023000000123002' order by id asc limit 2000")
	require.Contains(t, second.Query, " from Contacts where id > '554023000000123003' order by id asc limit 2000")
	require.True(t, strings.HasPrefix(first.Query, "select id, Full_Name, First_Name, "), first.Query)
}

// A list that says it goes on and names no token is never the end.
func TestAListWithoutTokensIsReadByNumber(t *testing.T) {
	t.Parallel()

	for what, since := range map[string]time.Time{"in a sweep": {}, "in an incremental": noon} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()

			l := script(map[string][]answer{"/Contacts": {{200, nil, page(true, "", `{"id":"554023000000123001","Modified_Time":"2026-11-24T10:00:00Z"}`)}}})
			source := l.source(t, zoho.Config{})
			req := providers.ListRequest{UpdatedSince: since}
			for n := 1; n < 10; n++ {
				one, err := source.ListContacts(t.Context(), req)
				require.NoError(t, err)
				req.Cursor = one.Next
			}
			last, err := source.ListContacts(t.Context(), req)
			if since.IsZero() {
				require.NoError(t, err)
				require.Contains(t, last.Next, "keyset")
			} else {
				requireError(t, err, providers.ListTooLong, "")
			}
			var pages []string
			for _, r := range l.to("/Contacts") {
				require.False(t, r.url.Query().Has("page_token"))
				pages = append(pages, r.url.Query().Get("page"))
			}
			require.Equal(t, []string{"", "2", "3", "4", "5", "6", "7", "8", "9", "10"}, pages[len(pages)-10:])
		})
	}
}

func TestIncremental(t *testing.T) {
	t.Parallel()

	since := time.Date(2026, 11, 24, 10, 58, 0, 700, time.FixedZone("", 3600))
	t.Run("nothing new costs one call", func(t *testing.T) {
		t.Parallel()

		for _, status := range []int{304, 204} {
			l := script(map[string][]answer{"/Contacts": {{status, nil, ""}}})
			got, err := l.source(t, zoho.Config{}).ListContacts(t.Context(), providers.ListRequest{UpdatedSince: since})
			require.NoError(t, err)
			require.Equal(t, providers.Page{Observation: providers.Observation{Date: noon, Usage: providers.Usage{Spent: 1}}}, got)
			require.Len(t, l.asked, 1)
			require.Equal(t, "2026-11-24T09:58:00+00:00", l.asked[0].header.Get("If-Modified-Since"))
			require.Equal(t, url.Values{"fields": {"Modified_Time"}, "per_page": {"1"}, "sort_by": {"Modified_Time"}, "sort_order": {"asc"}}, l.asked[0].url.Query())
		}
	})
	t.Run("crm-zo-02: times are instants, and one may be missing", func(t *testing.T) {
		t.Parallel()

		l := script(map[string][]answer{"/Contacts": {{200, nil, page(true, "t1",
			`{"id":"554023000000100001","Last_Name":"N1","Modified_Time":"2026-11-24T11:00:00+01:00"}`,
			`{"id":"554023000000100002","Last_Name":"NoTime"}`,
			`{"id":"554023000000100003","Last_Name":"India","Modified_Time":"2026-11-24T15:30:01+05:30"}`,
			`{"id":"554023000000100004","Last_Name":"Z","Modified_Time":"2026-11-24T10:00:00Z"}`,
			`{"id":"554023000000100005","Last_Name":"Bad","Modified_Time":"yesterday"}`,
		)}}})
		source := l.source(t, zoho.Config{})
		got, err := source.ListContacts(t.Context(), providers.ListRequest{UpdatedSince: since, Limit: 100})
		require.NoError(t, err)
		var times []time.Time
		for _, c := range got.Contacts {
			times = append(times, c.UpdatedAt)
		}
		require.Equal(t, []time.Time{noon, {}, noon.Add(time.Second), noon}, times)
		require.Len(t, got.Failures, 1)
		require.Equal(t, "bad_time", got.Failures[0].Reason)
		require.EqualValues(t, 3, got.Usage.Spent, "the look, the fields, the page")

		_, err = source.ListContacts(t.Context(), providers.ListRequest{UpdatedSince: since, Limit: 100, Cursor: got.Next})
		require.NoError(t, err)
		_, err = source.ListContacts(t.Context(), providers.ListRequest{UpdatedSince: noon, Limit: 100})
		require.NoError(t, err)
		asked := l.to("/Contacts")
		require.Len(t, asked, 4, "there is one look")
		require.Equal(t, []string{"", "", "t1", ""}, []string{asked[0].url.Query().Get("page_token"), asked[1].url.Query().Get("page_token"), asked[2].url.Query().Get("page_token"), asked[3].url.Query().Get("page_token")})
		first, second := asked[1].url.Query(), asked[2].url.Query()
		second.Del("page_token")
		require.Equal(t, first, second)
		require.Equal(t, asked[1].header.Get("If-Modified-Since"), asked[2].header.Get("If-Modified-Since"), "it is bound too [?]")
		require.Equal(t, "100", first.Get("per_page"))
		require.Equal(t, "2026-11-24T10:00:00+00:00", asked[3].header.Get("If-Modified-Since"))
	})
	t.Run("too much to be listed", func(t *testing.T) {
		t.Parallel()

		for _, code := range []string{"PAGINATION_LIMIT_EXCEEDED", "DISCRETE_PAGINATION_LIMIT_EXCEEDED"} {
			l := script(map[string][]answer{"/Contacts": {{400, nil, failure(code)}}})
			_, err := l.source(t, zoho.Config{}).ListContacts(t.Context(), providers.ListRequest{UpdatedSince: since})
			requireError(t, err, providers.ListTooLong, "")
			require.Empty(t, l.to("/coql"))
		}
	})
	t.Run("crm-zo-04: a dead token with status 200 is no quiet account", func(t *testing.T) {
		t.Parallel()

		l := script(map[string][]answer{"/Contacts": {{200, nil, failure("INVALID_TOKEN")}}})
		_, err := l.source(t, zoho.Config{}).ListContacts(t.Context(), providers.ListRequest{UpdatedSince: since})
		require.True(t, requireError(t, err, providers.NeedsReauth, "revoked").RefreshFirst, "the client saw no 401 to refresh for")
	})
}

// 304 answers If-Modified-Since. To anything else it is no answer, and never an empty account.
func TestUnchangedIsNoEmptyAccount(t *testing.T) {
	t.Parallel()

	got, err := sweep(t, answer{304, nil, ""})
	require.Error(t, err)
	require.EqualValues(t, 2, got.Usage.Spent, "it has cost as much as an answer")
	got.Observation = providers.Observation{}
	require.Empty(t, got)
}

// crm-zo-10, and more fields than two calls name.
func TestMoreFieldsThanOneCallNames(t *testing.T) {
	t.Parallel()

	l := &fieldServer{line: script(map[string][]answer{"/settings/fields": {{200, nil, manyFields(120)}}}), records: 150, gone: "554023000000100007"}
	source := zoho.New(zoho.Config{}).Contacts(providers.Account{APIDomain: "https://www.zohoapis.eu"}, &http.Client{Transport: l})
	got, err := source.ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	require.Empty(t, got.Failures)
	require.Len(t, got.Contacts, 150)
	for _, c := range got.Contacts {
		if c.ExternalID == l.gone {
			require.True(t, c.Deleted, "it went between the calls: the engine asks")
			continue
		}
		require.False(t, c.Deleted)
		require.Equal(t, "Email of "+c.ExternalID, c.Emails[0].Value)
		var values map[string]any
		require.NoError(t, json.Unmarshal(c.CustomFields, &values))
		for i := range 120 {
			name := fmt.Sprintf("Custom_%03d", i)
			require.Equal(t, name+" of "+c.ExternalID, values[name])
		}
	}
	calls := l.to("/Contacts")
	require.Len(t, calls, 1+2*2)
	require.EqualValues(t, 1+len(calls), got.Usage.Spent)
	for _, r := range calls {
		require.LessOrEqual(t, len(strings.Split(r.url.Query().Get("fields"), ",")), 50)
		require.LessOrEqual(t, len(strings.Split(r.url.Query().Get("ids"), ",")), 100)
	}
	one, _, err := source.ReadContact(t.Context(), got.Contacts[0].ExternalID)
	require.NoError(t, err)
	require.Equal(t, got.Contacts[0], one)
}

// fieldServer answers lists with the fields that they name, and single reads with all.
type fieldServer struct {
	*line

	records int
	gone    string // from the second list on
}

// RoundTrip implements http.RoundTripper.
func (s *fieldServer) RoundTrip(r *http.Request) (*http.Response, error) {
	const base = 554023000000100000
	var names, ids []string
	q := r.URL.Query()
	names = strings.Split(q.Get("fields"), ",")
	if one, ok := strings.CutPrefix(r.URL.Path, "/crm/v8/Contacts/"); ok {
		ids = []string{one}
		for i := range 120 {
			names = append(names, fmt.Sprintf("Custom_%03d", i))
		}
		names = append(names, "Full_Name", "First_Name", "Last_Name", "Email", "Secondary_Email", "Phone", "Mobile", "Title", "Mailing_City")
	} else if q.Has("ids") {
		ids = strings.Split(q.Get("ids"), ",")
	} else {
		for n := range s.records {
			ids = append(ids, fmt.Sprint(base+n))
		}
	}
	var list []string
	for _, id := range ids {
		if q.Has("ids") && id == s.gone {
			continue
		}
		record := map[string]any{"id": id}
		for _, name := range names {
			switch name {
			case "", "Created_Time", "Modified_Time", "Account_Name", "Owner", "Tag", "Email_Opt_Out":
			default:
				record[name] = name + " of " + id
			}
		}
		text, err := json.Marshal(record)
		if err != nil {
			return nil, err
		}
		list = append(list, string(text))
	}
	s.mu.Lock()
	s.answers["/Contacts"] = []answer{{200, nil, page(false, "", list...)}}
	if len(ids) == 1 && !q.Has("ids") {
		s.answers["/"+ids[0]] = s.answers["/Contacts"]
	}
	s.mu.Unlock()
	return s.line.RoundTrip(r)
}

// crm-zo-14: odd metadata costs no field and no module.
func TestOddMetadata(t *testing.T) {
	t.Parallel()

	fields := append(standardFields(),
		meta{"api_name": "Plain", "custom_field": true}, custom("Strange", "hologram"), meta{"api_name": "Numbered", "data_type": 7, "custom_field": true},
		custom("Lines", "subform"), meta{"custom_field": true}, meta{"api_name": map[string]any{"x": 1}}, meta{"api_name": "Lead_Source", "data_type": "picklist", "custom_field": false})
	body := strings.Replace(fieldsOf(fields...), `{"fields":[`, `{"fields":[null,"odd",7,[],`, 1)
	l := script(map[string][]answer{"/settings/fields": {{200, nil, body}}, "/Contacts": {{200, nil, page(false, "",
		`{"id":"554023000000123001","Last_Name":"A","Plain":"p","Strange":{"b": 1, "a": [1.50, null]},"Numbered":[1,2],"Lead_Source":"Web"}`)}}})
	got, err := l.source(t, zoho.Config{Fields: []string{"Lead_Source", "Not_Here"}}).ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	require.Empty(t, got.Failures)
	require.JSONEq(t, `{"Plain":"p","Strange":{"b":1,"a":[1.50,null]},"Numbered":[1,2],"Lead_Source":"Web"}`, string(got.Contacts[0].CustomFields))
	asked := strings.Split(l.to("/Contacts")[0].url.Query().Get("fields"), ",")
	require.NotContains(t, asked, "Lines", "a list has no subforms")
	require.NotContains(t, asked, "Not_Here")

	for _, body := range []string{`{"fields":[]}`, `{"fields":null}`, `{}`, `{"fields":[{"api_name":"Nobodys","custom_field":false}]}`} {
		l := script(map[string][]answer{"/settings/fields": {{200, nil, body}}})
		_, err := l.source(t, zoho.Config{}).ListContacts(t.Context(), providers.ListRequest{})
		requireError(t, err, providers.SchemaChanged, "")
		require.Empty(t, l.to("/Contacts"))
	}
}

// crm-zo-11: a list, a query and an export show the same three contacts, each in its own shapes.
func TestShapesOfTheWays(t *testing.T) {
	t.Parallel()

	fields := fieldsOf(append(standardFields(), custom("Interests", "multiselectpicklist"), custom("Spend", "currency"), custom("VIP", "boolean"),
		custom("Notes", "textarea"), custom("Since", "date"), custom("Partner", "lookup"), custom("Ref", "bigint"), custom("Formula", "formula"))...)
	listed := page(false, "",
		`{"id":"554023000000123001","Full_Name":"Å, \"B\" 🐉","Last_Name":"🐉","Account_Name":{"name":"Norrsken","id":"554023000000222001"},"Owner":{"name":"U","id":"554023000000090001","email":"u@example.com"},"Tag":[{"name":"VIP","id":"1","color_code":null},{"name":"New","id":"2"}],"Email_Opt_Out":false,"Interests":["A","B"],"Spend":1200.5,"VIP":true,"Notes":"one\r\ntwo, \"three\"","Since":"2024-02-29","Partner":{"name":"P","id":"554023000000123002"},"Ref":"9007199254740993","Formula":7,"Modified_Time":"2026-11-24T11:00:00+01:00","Created_Time":null}`,
		`{"id":"554023000000123002","Last_Name":".","Account_Name":null,"Owner":null,"Tag":[],"Interests":[],"Spend":null,"Notes":"","Modified_Time":"2026-11-24T10:00:00Z"}`,
		`{"id":"554023000000123003","Last_Name":"C","Spend":-0.10,"Formula":"n/a"}`)
	queried := strings.NewReplacer(`"name":"Norrsken",`, "", `"name":"U",`, "", `,"email":"u@example.com"`, "", `"name":"P",`, "").Replace(listed)
	csv := "\ufeff" + `Id,Full_Name,Last_Name,Account_Name,Owner,Tag,Email_Opt_Out,Interests,Spend,VIP,Notes,Since,Partner,Ref,Formula,Modified_Time,Created_Time
554023000000123001,"Å, ""B"" 🐉",🐉,554023000000222001,554023000000090001,"VIP,New",false,A;B,1200.50,true,"one` + "\r\n" + `two, ""three""",2024-02-29,554023000000123002,9007199254740993,7,2026-11-24T11:00:00+01:00,
554023000000123002,,.,,,,,,,,,,,,,2026-11-24T10:00:00Z,
554023000000123003,,C,,,,,,-0.1,,,,,,n/a,,
`
	read := func(way zoho.Mode) []providers.Contact {
		l := script(map[string][]answer{
			"/settings/fields": {{200, nil, fields}}, "/Contacts": {{200, nil, listed}}, "/coql": {{200, nil, queried}},
			"/bulk/v8/read": {{201, nil, added}}, "/554023000000800001": {{200, nil, done(false)}}, "/result": {{200, map[string][]string{"Content-Type": {"application/zip"}}, zipped(t, csv)}},
		})
		source := l.source(t, zoho.Config{Full: way})
		got, err := source.ListContacts(t.Context(), providers.ListRequest{})
		require.NoError(t, err)
		if way == zoho.Bulk {
			require.Positive(t, got.Wait)
			got, err = source.ListContacts(t.Context(), providers.ListRequest{Cursor: got.Next})
			require.NoError(t, err)
			require.Zero(t, got.Wait)
		}
		require.Empty(t, got.Failures)
		return got.Contacts
	}
	want := read(zoho.List)
	require.Len(t, want, 3)
	require.Equal(t, `Å, "B" 🐉`, want[0].Name)
	require.JSONEq(t, `{"Email_Opt_Out":false,"Formula":7,"Interests":["A","B"],"Notes":"one\ntwo, \"three\"","Partner":"554023000000123002","Ref":"9007199254740993","Since":"2024-02-29","Spend":1200.5,"Tag":["VIP","New"],"VIP":true}`, string(want[0].CustomFields))
	for _, way := range []zoho.Mode{zoho.Keyset, zoho.Bulk} {
		for i, c := range read(way) {
			require.Equal(t, string(want[i].CustomFields), string(c.CustomFields), way)
			require.Equal(t, want[i], c, way)
		}
	}
}

func TestExport(t *testing.T) {
	t.Parallel()

	const csv = "Id,Last_Name\n1,A\n2,B\n3,C\n"
	exports := func(t *testing.T, more map[string][]answer) *line {
		t.Helper()
		answers := map[string][]answer{"/bulk/v8/read": {{201, nil, added}}, "/554023000000800001": {{200, nil, done(false)}}, "/result": {{200, nil, zipped(t, csv)}}}
		maps.Copy(answers, more)
		return script(answers)
	}
	ordered := func(t *testing.T, l *line) providers.Cursor {
		t.Helper()
		got, err := l.source(t, zoho.Config{Full: zoho.Bulk}).ListContacts(t.Context(), providers.ListRequest{})
		require.NoError(t, err)
		require.Positive(t, got.Wait)
		require.Empty(t, got.Contacts)
		return got.Next
	}
	read := func(ctx context.Context, t *testing.T, l *line, cursor providers.Cursor, limit int) (providers.Page, error) {
		t.Helper()
		return l.source(t, zoho.Config{Full: zoho.Bulk}).ListContacts(ctx, providers.ListRequest{Cursor: cursor, Limit: limit})
	}

	t.Run("it is asked for, waited for, and read a page at a time from wherever it was left", func(t *testing.T) {
		t.Parallel()

		l := exports(t, map[string][]answer{"/554023000000800001": {{200, nil, running}, {200, nil, done(true)}}})
		cursor := ordered(t, l)
		var order struct {
			Query struct {
				Fields []string
				Page   int
				Module map[string]string
			}
			FileType string `json:"file_type"`
		}
		require.NoError(t, json.Unmarshal([]byte(l.to("/bulk/v8/read")[0].body), &order))
		require.Equal(t, "csv", order.FileType)
		require.Equal(t, map[string]string{"api_name": "Contacts"}, order.Query.Module)
		require.Equal(t, 1, order.Query.Page)
		require.Subset(t, order.Query.Fields, []string{"id", "Last_Name", "Modified_Time"})

		waiting, err := read(t.Context(), t, l, cursor, 2)
		require.NoError(t, err)
		require.Positive(t, waiting.Wait)
		require.Equal(t, cursor, waiting.Next)
		first, err := read(t.Context(), t, l, waiting.Next, 2)
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2"}, idsOf(first))
		second, err := read(t.Context(), t, l, first.Next, 2)
		require.NoError(t, err)
		require.Equal(t, []string{"3"}, idsOf(second))
		next, err := read(t.Context(), t, l, second.Next, 2)
		require.NoError(t, err)
		require.Positive(t, next.Wait, "there are more records: the next export")
		require.NoError(t, json.Unmarshal([]byte(l.to("/bulk/v8/read")[1].body), &order))
		require.Equal(t, 2, order.Query.Page)
	})

	for what, c := range map[string]struct {
		answers map[string][]answer
		kind    providers.ErrorKind
	}{
		"it failed":                      {map[string][]answer{"/554023000000800001": {{200, nil, strings.Replace(running, "IN PROGRESS", "FAILURE", 1)}}}, providers.CursorExpired},
		"it never ends":                  {map[string][]answer{"/554023000000800001": {{200, nil, strings.Replace(running, "11-24", "11-23", 1)}}}, providers.CursorExpired},
		"it is gone":                     {map[string][]answer{"/554023000000800001": {{404, nil, failure("RESOURCE_NOT_FOUND")}}}, providers.CursorExpired},
		"its file is gone":               {map[string][]answer{"/result": {{404, nil, failure("RESOURCE_NOT_FOUND")}}}, providers.CursorExpired},
		"its place isn't known":          {map[string][]answer{"/554023000000800001": {{404, nil, failure("INVALID_URL_PATTERN")}}}, providers.Misconfigured},
		"its file comes too often":       {map[string][]answer{"/result": {{429, nil, failure("TOO_MANY_REQUESTS")}}}, providers.RateLimited},
		"its file is a page":             {map[string][]answer{"/result": {{200, nil, "<html>Sign in</html>"}}}, providers.Transient},
		"its file is empty":              {map[string][]answer{"/result": {{200, nil, ""}}}, providers.Transient},
		"its file is cut off":            {map[string][]answer{"/result": {{200, nil, zipped(t, csv)[:80]}}}, providers.Transient},
		"its file is no CSV":             {map[string][]answer{"/result": {{200, nil, zipped(t, "Id,Last_Name\n1,\"A\n")}}}, providers.SchemaChanged},
		"a row has more than its header": {map[string][]answer{"/result": {{200, nil, zipped(t, "Id,Last_Name\n1,A,B\n")}}}, providers.SchemaChanged},
		"nobody knows it":                {map[string][]answer{"/554023000000800001": {{200, nil, `{"data":[]}`}}}, providers.SchemaChanged},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()

			l := exports(t, c.answers)
			got, err := read(t.Context(), t, l, ordered(t, l), 0)
			got.Observation = providers.Observation{}
			require.Empty(t, got)
			var e *providers.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.kind, e.Kind, "%v", e)
		})
	}

	t.Run("an order without a number", func(t *testing.T) {
		t.Parallel()

		l := exports(t, map[string][]answer{"/bulk/v8/read": {{201, nil, `{"data":[]}`}}})
		got, err := l.source(t, zoho.Config{Full: zoho.Bulk}).ListContacts(t.Context(), providers.ListRequest{})
		got.Observation = providers.Observation{}
		require.Empty(t, got)
		requireError(t, err, providers.SchemaChanged, "")
	})
}

func TestReadContact(t *testing.T) {
	t.Parallel()

	const id = "554023000000123001"
	for what, c := range map[string]struct {
		answer answer
		kind   providers.ErrorKind
	}{
		"nothing":                      {answer{204, nil, ""}, providers.NotFound},
		"no such id":                   {answer{400, nil, failure("INVALID_DATA")}, providers.NotFound},
		"no such id, otherwise":        {answer{404, nil, failure("INVALID_DATA")}, providers.NotFound},
		"no such id, in a list":        {answer{404, nil, `{"data":[` + failure("INVALID_DATA") + `]}`}, providers.NotFound},
		"no such id with a good one":   {answer{200, nil, failure("INVALID_DATA")}, providers.NotFound},
		"another host by now":          {answer{404, nil, failure("INVALID_URL_PATTERN")}, providers.Misconfigured},
		"a module that is hidden":      {answer{400, nil, failure("INVALID_MODULE")}, providers.Misconfigured},
		"a module that is hidden, 404": {answer{404, nil, failure("INVALID_MODULE")}, providers.Misconfigured},
		"another record":               {answer{200, nil, `{"data":[{"id":"554023000000123002"}]}`}, providers.SchemaChanged},
		"no record":                    {answer{200, nil, `{"data":[]}`}, providers.SchemaChanged},
		"one that can't be read":       {answer{200, nil, `{"data":[{"id":"` + id + `","Modified_Time":"yesterday"}]}`}, providers.InvalidRequest},
		"may not":                      {answer{403, nil, failure("NO_PERMISSION")}, providers.Blocked},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()

			l := script(map[string][]answer{"/Contacts/" + id: {c.answer}})
			got, _, err := l.source(t, zoho.Config{}).ReadContact(t.Context(), id)
			require.Empty(t, got)
			var e *providers.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.kind, e.Kind, "%v", e)
			require.Equal(t, c.kind == providers.InvalidRequest, e.Record != nil)
		})
	}
}

func TestCountContacts(t *testing.T) {
	t.Parallel()

	count := func(body string) (int64, providers.Observation, error) {
		l := script(map[string][]answer{"/actions/count": {{200, nil, body}}})
		return l.source(t, zoho.Config{}).(providers.ContactCounter).CountContacts(t.Context())
	}
	for _, body := range []string{`{"count":"12345"}`, `{"count":12345}`} {
		n, seen, err := count(body)
		require.NoError(t, err)
		require.EqualValues(t, 12345, n)
		require.EqualValues(t, 1, seen.Usage.Spent)
	}
	for _, body := range []string{`{}`, `{"count":null}`, `{"count":"many"}`} {
		_, _, err := count(body)
		requireError(t, err, providers.SchemaChanged, "")
	}
}

func TestListDeleted(t *testing.T) {
	t.Parallel()

	entry := func(id string) string {
		return `{"id":"` + id + `","display_name":null,"type":"permanent","deleted_time":"2026-11-20T00:00:00+01:00","deleted_by":null,"created_by":null}`
	}
	l := script(map[string][]answer{"/deleted": {{200, nil, page(true, "", entry("1"), entry("2"))}, {200, nil, page(false, "", entry("3"))}, {204, nil, ""}, {304, nil, ""}, {200, nil, `{}`}}})
	source := l.source(t, zoho.Config{}).(providers.DeletedLister)
	first, err := source.ListDeleted(t.Context(), noon, "")
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2"}, first.ExternalIDs)
	require.EqualValues(t, 1, first.Usage.Spent)
	second, err := source.ListDeleted(t.Context(), noon, first.Next)
	require.NoError(t, err)
	require.Equal(t, []string{"3"}, second.ExternalIDs)
	require.Empty(t, second.Next)
	for range 2 {
		none, err := source.ListDeleted(t.Context(), noon, "")
		require.NoError(t, err)
		require.Empty(t, none.ExternalIDs)
		require.Empty(t, none.Next)
		require.Equal(t, noon, none.Date)
	}
	_, err = source.ListDeleted(t.Context(), noon, "")
	requireError(t, err, providers.SchemaChanged, "")
	require.Equal(t, url.Values{"type": {"all"}, "page": {"1"}, "per_page": {"200"}}, l.asked[0].url.Query())
	require.Equal(t, "2", l.asked[1].url.Query().Get("page"))
	require.Equal(t, "2026-11-24T10:00:00+00:00", l.asked[0].header.Get("If-Modified-Since"))
}

// Whatever is stored as a cursor, it is refused or asks what a cursor of ours could ask: ids are digits wherever they
// become part of a path or a query.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{
		`{"way":"list","last":"554023000000123001","token":"t"}`, `{"way":"list","page":2}`, `{"way":"keyset","last":"1"}`,
		`{"way":"bulk","job":"554023000000800001","page":1,"row":2}`, `{"way":"keyset","last":"1' or id > '0"}`, `{"way":"bulk","job":"../x"}`,
		`{"way":"auto"}`, `{}`, `null`, `[]`, `list|1|t`, `{"way":"bulk","row":-1}`, `{"way":"list","page":99999999999999999999}`,
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	empty := zipped(f, "Id,Last_Name\n1,A\n")
	f.Fuzz(func(t *testing.T, cursor string, changes bool) {
		if cursor == "" {
			return
		}
		l := script(map[string][]answer{
			"/Contacts": {{200, nil, nothing}}, "/coql": {{204, nil, ""}}, "/bulk/v8/read": {{201, nil, added}},
			"/554023000000800001": {{200, nil, done(false)}}, "/result": {{200, nil, empty}},
		})
		req := providers.ListRequest{Cursor: providers.Cursor(cursor)}
		if changes {
			req.UpdatedSince = noon
		}
		_, err := l.source(t, zoho.Config{}).ListContacts(t.Context(), req)
		if kind := providers.KindOf(err); err != nil {
			require.Contains(t, []providers.ErrorKind{providers.CursorExpired, providers.Misconfigured}, kind, "%v", err)
			if kind == providers.CursorExpired {
				return
			}
		}
		for _, r := range l.to("/coql") {
			require.Regexp(t, `where id > '[0-9]+' order by id asc limit [0-9]+"}$`, r.body)
			require.False(t, changes)
		}
		for _, r := range l.asked {
			require.Regexp(t, `^/crm/(v8/(Contacts|coql|settings/fields)|bulk/v8/read(/[0-9]+(/result)?)?)$`, r.url.Path)
		}
	})
}
