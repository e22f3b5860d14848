package providertest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

func odd(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 0)
	note := strings.Repeat("ñ𝄞", 11_000)[:65_998] // whole characters, close to 64 KiB
	persons := []Person{
		{ID: "1", Name: "李小龍 🐉 👩‍👩‍👧", Emails: []string{" Zoë@Example.COM , b@example.org "}, Note: note},
		{ID: "2", Name: "\u200fشركة النور\u200e (RTL)", Emails: []string{"n/a"}, Note: `"quotes" \ and \n`},
		{ID: "3", Name: "Bob\x00by", Note: "nul\x00nul"},
		{ID: "4", Name: `Ann, "A." O'Hara; Söhne`, Note: "two\r\nlines, and a comma"},
	}
	for _, p := range persons {
		if !c.Timeless {
			p.UpdatedAt = time.Now().Truncate(time.Second)
		}
		s.Put(t, p)
	}
	src := source(t, s, SourceOptions{})
	got := contacts(walk(t, src, providers.ListRequest{}, nil))
	require.Len(t, got, len(persons))
	for i, p := range persons {
		require.Equal(t, strings.ReplaceAll(p.Name, "\x00", ""), got[i].Name)
		if len(p.Emails) > 0 {
			require.Equal(t, p.Emails[0], got[i].Emails[0].Value, "as the person typed it")
		}
		require.NotContains(t, string(got[i].CustomFields), "\x00")
		require.NotContains(t, string(got[i].CustomFields), `\u0000`)
		require.True(t, json.Valid(got[i].CustomFields))
		require.Equal(t, c.Timeless, got[i].UpdatedAt.IsZero())
	}
	require.Greater(t, len(got[0].CustomFields), 60_000)
	require.Contains(t, string(got[2].CustomFields), "nulnul")
}

func bare(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 0)
	s.Put(t, Person{ID: "7", Bare: true})
	s.Put(t, Person{ID: "8", Name: "After", UpdatedAt: time.Now().Truncate(time.Second)})
	src := source(t, s, SourceOptions{})
	got := contacts(walk(t, src, providers.ListRequest{}, nil))
	require.Len(t, got, 2)
	require.NotEmpty(t, got[0].ExternalID)
	require.Empty(t, got[0].Name)
	require.Empty(t, got[0].Emails)
	require.Empty(t, got[0].Phones)
	require.Empty(t, got[0].OwnerID)
	require.Equal(t, "After", got[1].Name)
}

// phones are numbers of twelve countries as people type them.
var phones = []string{ //nolint:gochecknoglobals // a constant table
	"+52 1 55 1234 5678", "044 55 1234 5678", "(011) 15-2345-6789", "+55 (11) 99876-5432", "0049 (0) 30 / 1234-56 ext. 7",
	"+44 20 7946 0958", "06 12 34 56 78", "+1 (415) 555-2671 x12", "٠٥٠ ١٢٣ ٤٥٦٧", "+91-98765-43210", "+81 (0)3-1234-5678", "☎ ask reception",
}

func addresses(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 0)
	emails := make([]string, c.Emails)
	for i := range emails {
		emails[i] = "person" + strconv.Itoa(i) + "@example.com"
	}
	n := 0
	for i := 0; i < len(phones); i += c.Phones {
		n++
		s.Put(t, Person{
			ID: strconv.Itoa(n), Name: "Person " + strconv.Itoa(n), Emails: emails, Phones: phones[i:min(i+c.Phones, len(phones))],
			UpdatedAt: time.Now().Truncate(time.Second),
		})
	}
	src := source(t, s, SourceOptions{})
	var got []string
	for _, contact := range contacts(walk(t, src, providers.ListRequest{}, nil)) {
		var have []string
		for _, e := range contact.Emails {
			have = append(have, e.Value)
		}
		require.ElementsMatch(t, emails, have)
		for _, p := range contact.Phones {
			got = append(got, p.Value)
		}
	}
	require.ElementsMatch(t, phones, got)
}

func doubled(t *testing.T, c ContactSource) {
	t.Helper()
	s := c.Account(t, 12)
	src := source(t, s, SourceOptions{Transport: func(line http.RoundTripper) http.RoundTripper { return doubling{line} }})
	page, err := src.ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, contact := range page.Contacts {
		seen[contact.ExternalID] = true
	}
	require.Len(t, seen, 12, "nobody is lost by it")
}

// doubling is a transport that repeats the first record of each list.
type doubling struct{ line http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (d doubling) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.line.RoundTrip(r)
	if err != nil || !strings.Contains(resp.Header.Get("Content-Type"), "json") {
		return resp, err //nolint:wrapcheck // a transport adds nothing
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err //nolint:wrapcheck // the same
	}
	var answer map[string]json.RawMessage
	if json.Unmarshal(body, &answer) == nil {
		for name, value := range answer {
			var list []json.RawMessage
			if json.Unmarshal(value, &list) == nil && len(list) > 1 && bytes.Contains(list[0], []byte(`"id"`)) {
				answer[name], _ = json.Marshal(append(list, list[0]))
			}
		}
		body, _ = json.Marshal(answer)
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}
