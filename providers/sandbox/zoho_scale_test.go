package sandbox_test

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

// zohoMany is how many contacts each way to read all has to take seconds for.
const zohoMany = 250_000

const manyFields = "Full_Name,First_Name,Last_Name,Email,Secondary_Email,Phone,Mobile,Home_Phone,Other_Phone,Fax,Account_Name,Owner,Title,Department," +
	"Mailing_Street,Mailing_City,Mailing_State,Mailing_Zip,Mailing_Country,Email_Opt_Out,Tag,Created_Time,Modified_Time"

// zohoCall answers a call without the network.
func zohoCall(tb testing.TB, s *sandbox.Sandbox, access string) func(method, path, body string, into io.Writer) {
	tb.Helper()
	handler := s.Handler()
	return func(method, path, body string, into io.Writer) {
		r := httptest.NewRequestWithContext(tb.Context(), method, "/sandbox/zoho/api/eu"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Zoho-oauthtoken "+access)
		w := &direct{header: http.Header{}, status: http.StatusOK, Writer: into}
		handler.ServeHTTP(w, r)
		require.Less(tb, w.status, 300, path)
	}
}

// direct hands an answer on as it is written.
type direct struct {
	io.Writer
	header http.Header
	status int
}

func (d *direct) Header() http.Header    { return d.header }
func (d *direct) WriteHeader(status int) { d.status = status }

func BenchmarkZohoReadsAll(b *testing.B) {
	s := sandbox.New(sandbox.Config{Contacts: zohoMany})
	defer s.Close()
	z := s.Zoho()
	z.SetBudget(sandbox.Unlimited)
	require.NoError(b, z.Configure(func(s *sandbox.ZohoSettings) { s.ListLimit, s.BulkPolls = zohoMany, 0 }))
	call := zohoCall(b, s, z.IssueTokens(0).AccessToken)

	b.Run("List", func(b *testing.B) {
		for b.Loop() {
			token, pages := "", 0
			for more := true; more; pages++ {
				var text strings.Builder
				call(http.MethodGet, allContacts+"?sort_by=id&sort_order=asc&fields="+manyFields+token, "", &text)
				_, rest, _ := strings.Cut(text.String(), `"next_page_token":"`)
				next, _, _ := strings.Cut(rest, `"`)
				token, more = "&page_token="+url.QueryEscape(next), next != ""
			}
			require.Equal(b, zohoMany/200, pages)
		}
	})
	b.Run("COQL", func(b *testing.B) {
		for b.Loop() {
			last, pages := "0", 0
			for more := true; more; pages++ {
				var text strings.Builder
				call(http.MethodPost, "/crm/v8/coql", fmt.Sprintf(`{"select_query":"select %s from Contacts where id > '%s' order by id asc limit 2000"}`, manyFields, last), &text)
				page := text.String()
				last = page[strings.LastIndex(page, `{"id":"5540230000`)+7:][:18]
				more = strings.Contains(page, `"more_records":true`)
			}
			require.Equal(b, zohoMany/2000, pages)
		}
	})
	b.Run("Bulk", func(b *testing.B) {
		for b.Loop() {
			rows := 0
			for page := 1; page <= 2; page++ {
				rows += bulkRows(b, call, page)
			}
			require.Equal(b, zohoMany, rows)
		}
	})
}

// bulkRows counts the rows of a page by the ids that they begin with.
func bulkRows(tb testing.TB, call func(method, path, body string, into io.Writer), page int) (rows int) {
	tb.Helper()
	fields := `"` + strings.ReplaceAll(manyFields, ",", `","`) + `"`
	var made strings.Builder
	call(http.MethodPost, bulkReads, fmt.Sprintf(`{"query":{"module":{"api_name":"Contacts"},"fields":[%s],"page":%d}}`, fields, page), &made)
	_, rest, _ := strings.Cut(made.String(), `"id":"`)
	_, rest, _ = strings.Cut(rest, `"id":"`) // the first is the user's
	id, _, _ := strings.Cut(rest, `"`)
	call(http.MethodGet, bulkReads+"/"+id, "", io.Discard)
	file, err := os.CreateTemp(tb.TempDir(), "bulk")
	require.NoError(tb, err)
	defer func() { _ = file.Close() }()
	call(http.MethodGet, bulkReads+"/"+id+"/result", "", file)
	size, err := file.Seek(0, io.SeekCurrent)
	require.NoError(tb, err)
	archive, err := zip.NewReader(file, size)
	require.NoError(tb, err)
	text, err := archive.File[0].Open()
	require.NoError(tb, err)
	defer func() { _ = text.Close() }()
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "5540230") {
			rows++
		}
	}
	require.NoError(tb, lines.Err())
	return rows
}
