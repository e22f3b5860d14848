package sandbox_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

const bulkReads = "/crm/bulk/v8/read"

// bulkJob is a job as the API tells of it.
type bulkJob struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Result *struct {
		Page          int     `json:"page"`
		PerPage       int     `json:"per_page"`
		Count         int     `json:"count"`
		MoreRecords   bool    `json:"more_records"`
		NextPageToken *string `json:"next_page_token"`
		DownloadURL   string  `json:"download_url"`
	} `json:"result"`
}

func (b *zohoBundle) createBulk(query string) string {
	b.t.Helper()
	got := b.ask(http.MethodPost, bulkReads, `{"query":{"module":{"api_name":"Contacts"}`+query+`},"file_type":"csv"}`)
	require.Equal(b.t, http.StatusCreated, got.status, got.body)
	answer := decode[struct {
		Data []struct {
			Code    string  `json:"code"`
			Details bulkJob `json:"details"`
		} `json:"data"`
	}](b.t, got.body)
	require.Equal(b.t, "ADDED_SUCCESSFULLY", answer.Data[0].Code)
	require.Equal(b.t, "ADDED", answer.Data[0].Details.State)
	return answer.Data[0].Details.ID
}

func (b *zohoBundle) pollBulk(id string) bulkJob {
	b.t.Helper()
	got := b.get(bulkReads + "/" + id)
	require.Equal(b.t, http.StatusOK, got.status, got.body)
	return decode[struct{ Data []bulkJob }](b.t, got.body).Data[0]
}

// rowsOf downloads what a job that is done has read, without the header.
func (b *zohoBundle) rowsOf(id string) (header []string, rows [][]string) {
	b.t.Helper()
	got := b.get(bulkReads + "/" + id + "/result")
	require.Equal(b.t, http.StatusOK, got.status)
	require.Equal(b.t, "application/x-download", got.header.Get("Content-Type"))
	archive, err := zip.NewReader(strings.NewReader(got.body), int64(len(got.body)))
	require.NoError(b.t, err)
	require.Len(b.t, archive.File, 1)
	require.Equal(b.t, id+".csv", archive.File[0].Name)
	file, err := archive.File[0].Open()
	require.NoError(b.t, err)
	text, err := io.ReadAll(file)
	require.NoError(b.t, err)
	require.NoError(b.t, file.Close())
	rows, err = csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(b.t, err)
	return rows[0], rows[1:]
}

func TestZohoBulkReadGoesThroughItsStates(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 10)
	b.configure(func(s *sandbox.ZohoSettings) { s.BulkPolls = 3; s.BulkMS = 5000 })
	id := b.createBulk(`,"fields":["Last_Name"]`)
	require.Equal(t, 50, b.zoho.Orgs()[0].CreditsUsed)
	var states []string
	for range 5 {
		job := b.pollBulk(id)
		states = append(states, job.State)
		require.Nil(t, job.Result)
		got := b.get(bulkReads + "/" + id + "/result")
		require.Equal(t, http.StatusBadRequest, got.status)
		require.Equal(t, "RESOURCE_NOT_FOUND", errorCode(t, got.body))
	}
	require.Equal(t, []string{"ADDED", "IN PROGRESS", "IN PROGRESS", "IN PROGRESS", "IN PROGRESS"}, states, "it takes five seconds too")
	b.sandbox.Advance(5 * time.Second)
	job := b.pollBulk(id)
	require.Equal(t, "COMPLETED", job.State)
	require.Equal(t, 10, job.Result.Count)
	require.False(t, job.Result.MoreRecords)
	require.Nil(t, job.Result.NextPageToken)
	require.Equal(t, bulkReads+"/"+id+"/result", job.Result.DownloadURL)
	_, rows := b.rowsOf(id)
	require.Len(t, rows, 10)

	b.use(60010002)
	require.Equal(t, http.StatusNotFound, b.get(bulkReads+"/"+id).status, "another org's")
	b.sandbox.Advance(24 * time.Hour)
	b.use(0)
	got := b.get(bulkReads + "/" + id)
	require.Equal(t, http.StatusNotFound, got.status)
	require.Equal(t, "RESOURCE_NOT_FOUND", errorCode(t, got.body))
}

func TestZohoBulkReadFailsOnDemand(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 10)
	b.configure(func(s *sandbox.ZohoSettings) { s.BulkPolls = 1 })
	require.NoError(t, b.zoho.Faults(sandbox.Fault{Path: bulkReads, Kind: sandbox.FaultBulkFailure}))
	id := b.createBulk(`,"fields":["Email"]`)
	require.Equal(t, "ADDED", b.pollBulk(id).State)
	require.Equal(t, "FAILURE", b.pollBulk(id).State)
	require.Equal(t, http.StatusBadRequest, b.get(bulkReads+"/"+id+"/result").status)
}

func TestZohoBulkReadIsASnapshot(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 20)
	b.configure(func(s *sandbox.ZohoSettings) { s.BulkPolls = 0 })
	require.True(t, b.zoho.Delete(0, b.zoho.ContactID(0, 2)))
	require.True(t, b.zoho.Update(0, b.zoho.ContactID(0, 3)))
	first := b.createBulk(`,"fields":["Email"]`)
	_, err := b.zoho.Mutate(0, sandbox.Mutation{Create: 3, Update: 5, Delete: 2, Purge: 2})
	require.NoError(t, err)
	require.True(t, b.zoho.Restore(0, b.zoho.ContactID(0, 2)))
	require.Equal(t, 19, b.pollBulk(first).Result.Count)
	header, rows := b.rowsOf(first)
	require.Equal(t, []string{"Id", "Email"}, header)
	var ids []int64
	for _, row := range rows {
		n := b.number(row[0])
		ids = append(ids, n)
		versioned := strings.Contains(row[1], ".v")
		require.Equal(t, n == 3, versioned, "only what was changed before: %s", row)
	}
	require.Equal(t, append([]int64{1}, upTo(20)[2:]...), ids)

	second := b.createBulk(`,"fields":["Email"]`)
	require.Equal(t, b.zoho.Orgs()[0].Contacts, b.pollBulk(second).Result.Count)
}

func TestZohoBulkReadPages(t *testing.T) {
	t.Parallel()

	for _, byToken := range []bool{false, true} {
		b := zohoSetup(t, 25)
		b.configure(func(s *sandbox.ZohoSettings) { s.BulkPolls = 0; s.BulkPage = 10 })
		require.True(t, b.zoho.Delete(0, b.zoho.ContactID(0, 12)))
		var all []int64
		next := `,"page":1`
		for page := 1; next != ""; page++ {
			id := b.createBulk(`,"fields":["id"]` + next)
			job := b.pollBulk(id)
			require.Equal(t, page, job.Result.Page)
			_, rows := b.rowsOf(id)
			require.Len(t, rows, job.Result.Count)
			for _, row := range rows {
				all = append(all, b.number(row[0]))
			}
			next = ""
			switch {
			case job.Result.MoreRecords && byToken:
				next = fmt.Sprintf(`,"page_token":%q`, *job.Result.NextPageToken)
			case job.Result.MoreRecords:
				next = `,"page":` + strconv.Itoa(page+1)
			}
		}
		require.Equal(t, append(upTo(11), upTo(25)[12:]...), all)
	}
}

func TestZohoBulkReadWritesCSV(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 2)
	b.configure(func(s *sandbox.ZohoSettings) { s.BulkPolls = 0 })
	require.NoError(t, b.zoho.Put(0, fmt.Sprintf(`{"id":%q,"Last_Name":"O'Neil, \"Jr.\"","Custom_Notes":"line one\nline \"two\", three","Account_Name":{"name":"X","id":"554023500000000007"},
		"Interests":["A","B"],"Email_Opt_Out":true,"VIP_Member":false,"Score":17,"Phone":null,"Modified_Time":"2026-11-24T11:00:00+01:00","Created_Time":"2020-02-29T23:30:00-08:00"}`, b.zoho.ContactID(0, 5))))
	id := b.createBulk(`,"fields":["Last_Name","Custom_Notes","Account_Name","Interests","Email_Opt_Out","VIP_Member","Score","Phone","Mobile","Modified_Time","Created_Time"]`)
	b.pollBulk(id)
	header, rows := b.rowsOf(id)
	require.Equal(t, "Id", header[0])
	require.Len(t, rows, 3)
	require.Equal(t, []string{
		b.zoho.ContactID(0, 5), `O'Neil, "Jr."`, "line one\nline \"two\", three", "554023500000000007", "A;B", "true", "false", "17", "", "",
		"2026-11-24T11:00:00+01:00", "2020-02-29T23:30:00-08:00",
	}, rows[2])
	require.Regexp(t, `^\d{18}$`, rows[0][3], "a lookup is its id")
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$`, rows[0][10])
}

func TestZohoBulkReadOfAllFieldsThatTheUserMaySee(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 5)
	b.configure(func(s *sandbox.ZohoSettings) { s.BulkPolls, s.BulkIDHeader, s.Visible = 0, "id", 2 })
	id := b.createBulk("")
	require.Equal(t, 2, b.pollBulk(id).Result.Count)
	header, rows := b.rowsOf(id)
	require.Equal(t, "id", header[0])
	require.Len(t, header, 56, "without fields all of them")
	require.Len(t, rows, 2)
}

func TestZohoBulkReadRefusals(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 3)
	const contacts = `"module":{"api_name":"Contacts"}`
	for body, code := range map[string]string{
		``:  "REQUEST_BODY_IS_EMPTY",
		`[`: "REQUEST_BODY_NOT_READABLE",
		`{"query":{"module":{"api_name":"Leads"}}}`:                     "MODULE_NOT_AVAILABLE",
		`{"query":{` + contacts + `,"page":51}}`:                        "PAGE_RANGE_EXCEEDED",
		`{"query":{` + contacts + `,"page":0}}`:                         "PAGE_RANGE_EXCEEDED",
		`{"query":{` + contacts + `,"fields":["Nonsense"]}}`:            "FIELD_NOT_AVAILABLE",
		`{"query":{` + contacts + `,"criteria":{}}}`:                    "CRITERIA_NOT_SUPPORTED",
		`{"query":{` + contacts + `,"cvid":"1"}}`:                       "CVID_NOT_SUPPORTED",
		`{"query":{` + contacts + `},"file_type":"ics"}`:                "NOT_SUPPORTED_FEATURE",
		`{"query":{` + contacts + `},"callback":{"url":"https://x.y"}}`: "NOT_SUPPORTED_FEATURE",
		`{"query":{` + contacts + `,"page_token":"abc"}}`:               "INVALID_DATA",
		`{"query":{` + contacts + `,"page":1,"page_token":"abc"}}`:      "AMBIGUITY_DURING_PROCESSING",
	} {
		got := b.ask(http.MethodPost, bulkReads, body)
		require.Equal(t, http.StatusBadRequest, got.status, body)
		require.Equal(t, code, errorCode(t, got.body), body)
	}

	b.configure(func(s *sandbox.ZohoSettings) { s.BulkPage = 1; s.BulkPolls = 0 })
	token := *b.pollBulk(b.createBulk(`,"fields":["Email"]`)).Result.NextPageToken
	got := b.ask(http.MethodPost, bulkReads, `{"query":{`+contacts+`,"fields":["Phone"],"page_token":"`+token+`"}}`)
	require.Equal(t, "TOKEN_BOUND_DATA_MISMATCH", errorCode(t, got.body))
	b.sandbox.Advance(24 * time.Hour)
	b.configure(func(s *sandbox.ZohoSettings) { s.Scope = "ZohoCRM.bulk.READ,ZohoCRM.modules.contacts.READ" })
	b.use(0)
	got = b.ask(http.MethodPost, bulkReads, `{"query":{`+contacts+`,"fields":["Email"],"page_token":"`+token+`"}}`)
	require.Equal(t, "EXPIRED_VALUE", errorCode(t, got.body))

	b.configure(func(s *sandbox.ZohoSettings) { s.Scope = "ZohoCRM.modules.contacts.READ" })
	b.use(0)
	got = b.ask(http.MethodPost, bulkReads, `{"query":{`+contacts+`}}`)
	require.Equal(t, http.StatusUnauthorized, got.status)
	require.Equal(t, "OAUTH_SCOPE_MISMATCH", errorCode(t, got.body))
}

// narrow takes so many writes and then fails, as for a client that went away.
type narrow struct {
	left, longest int
}

func (n *narrow) Write(b []byte) (int, error) {
	n.longest = max(n.longest, len(b))
	if n.left--; n.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

func TestZohoBulkReadIsWrittenAsItIsMade(t *testing.T) {
	t.Parallel()

	s := sandbox.New(sandbox.Config{Contacts: 2_000_000})
	defer s.Close()
	z := s.Zoho()
	require.NoError(t, z.Configure(func(s *sandbox.ZohoSettings) { s.BulkPolls, s.BulkPage = 0, 2_000_000 }))
	call := zohoCall(t, s, z.IssueTokens(0).AccessToken)
	var made strings.Builder
	call(http.MethodPost, bulkReads, `{"query":{"module":{"api_name":"Contacts"}}}`, &made)
	id := decode[struct {
		Data []struct{ Details bulkJob }
	}](t, made.String()).Data[0].Details.ID
	call(http.MethodGet, bulkReads+"/"+id, "", io.Discard)
	client := &narrow{left: 3}
	require.PanicsWithError(t, http.ErrAbortHandler.Error(), func() { call(http.MethodGet, bulkReads+"/"+id+"/result", "", client) })
	require.Equal(t, -1, client.left, "the rest of two million rows is not made")
	require.Less(t, client.longest, 1<<20)
}
