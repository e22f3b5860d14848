package zoho_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/enlace/providers"
	"example.com/enlace/providers/zoho"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is what a scripted line says: JSON unless the header says otherwise.
type answer struct {
	status int
	header http.Header
	body   string
}

// line answers each path with its own answers, in order, the last one again and again. It is a transport.
type line struct {
	mu      sync.Mutex
	answers map[string][]answer // by the path's end, such as "/Contacts"
	asked   []asked
}

type asked struct {
	method string
	url    *url.URL
	header http.Header
	body   string
}

// script is a line that knows the fields of fieldsOf.
func script(answers map[string][]answer) *line {
	l := &line{answers: map[string][]answer{"/settings/fields": {{200, nil, fieldsOf(standardFields()...)}}}}
	maps.Copy(l.answers, answers)
	return l
}

// RoundTrip implements http.RoundTripper.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	l.asked = append(l.asked, asked{r.Method, r.URL, r.Header, string(body)})
	best := ""
	for path := range l.answers {
		if strings.HasSuffix(r.URL.Path, path) && len(path) > len(best) {
			best = path
		}
	}
	a := answer{404, nil, `{"code":"INVALID_URL_PATTERN","details":{},"message":"no such path in this test","status":"error"}`}
	if list := l.answers[best]; len(list) > 0 {
		if a = list[0]; len(list) > 1 {
			l.answers[best] = list[1:]
		}
	}
	header := http.Header{"Content-Type": {"application/json;charset=UTF-8"}, "Date": {"Tue, 24 Nov 2026 10:00:00 GMT"}}
	maps.Copy(header, a.header)
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// to are the requests of a path.
func (l *line) to(path string) (list []asked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.asked {
		if strings.HasSuffix(r.url.Path, path) {
			list = append(list, r)
		}
	}
	return list
}

func (l *line) client() *http.Client { return &http.Client{Transport: l} }

func (l *line) source(t *testing.T, cfg zoho.Config) providers.ContactSource {
	t.Helper()
	source := zoho.New(cfg).Contacts(providers.Account{APIDomain: "https://www.zohoapis.eu"}, l.client())
	t.Cleanup(func() { require.NoError(t, source.(io.Closer).Close()) })
	return source
}

// sweep lists the first page of a sweep by a line that answers every list with a.
func sweep(t *testing.T, a answer) (providers.Page, error) {
	t.Helper()
	return script(map[string][]answer{"/Contacts": {a}}).source(t, zoho.Config{}).ListContacts(t.Context(), providers.ListRequest{})
}

type meta map[string]any

func standardFields() []meta {
	var list []meta
	for name, dataType := range map[string]string{
		"Full_Name": "text", "First_Name": "text", "Last_Name": "text", "Email": "email", "Secondary_Email": "email", "Phone": "phone",
		"Mobile": "phone", "Account_Name": "lookup", "Owner": "ownerlookup", "Title": "text", "Mailing_City": "text",
		"Email_Opt_Out": "boolean", "Tag": "text", "Created_Time": "datetime", "Modified_Time": "datetime", "Description": "textarea",
	} {
		list = append(list, meta{"api_name": name, "data_type": dataType, "custom_field": false, "json_type": "string"})
	}
	return list
}

func fieldsOf(fields ...meta) string {
	text, err := json.Marshal(map[string]any{"fields": fields})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// page is the body of a list.
func page(more bool, token string, records ...string) string {
	info := `{"per_page":200,"more_records":false,"next_page_token":null}`
	if more {
		info = `{"per_page":200,"more_records":true,"next_page_token":null}`
	}
	if token != "" {
		info = `{"per_page":200,"more_records":true,"next_page_token":"` + token + `"}`
	}
	return `{"data":[` + strings.Join(records, ",") + `],"info":` + info + `}`
}

func failure(code string) string {
	return `{"code":"` + code + `","details":{},"message":"said by the test","status":"error"}`
}

func requireError(t *testing.T, err error, kind providers.ErrorKind, variant string) providers.Error {
	t.Helper()
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, "%v", err)
	require.Equal(t, variant, e.Variant)
	require.NotEmpty(t, e.Op)
	return *e
}

func idsOf(page providers.Page) []string {
	ids := []string{}
	for _, c := range page.Contacts {
		ids = append(ids, c.ExternalID)
	}
	return ids
}

var noon = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
