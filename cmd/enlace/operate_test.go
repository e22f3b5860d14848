package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
)

// answers is an API that gives fixed answers, and notes what it is asked.
func answers(t *testing.T, list map[string]string) (c *client, asked *[]string) {
	t.Helper()
	asked = new([]string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Method+" "+r.URL.Path)
		for path, answer := range list {
			if strings.HasSuffix(r.Method+" "+r.URL.Path, path) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(answer))
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	return &client{base: server.URL, key: devKey, http: server.Client()}, asked
}

const (
	anAccount  = `{"id":"00000000-0000-4000-8000-0000000000aa","provider":"zoho","provider_title":"Zoho CRM","external_account_name":"Nord\u001b[2J"}`
	oneAccount = `{"items":[` + anAccount + `],"next_cursor":null}`
)

func TestPreviewIsSaid(t *testing.T) {
	t.Parallel()

	c, asked := answers(t, map[string]string{
		"/v1/integrations": oneAccount,
		"/syncs": `{"sync_type":"incremental","runs_as":"full","records":{"count":12480,"exact":true},"calls":{"count":66,"exact":true},"reads":{"count":2,"exact":false},
			"seconds":90,"quota":{"cost":66,"percent":1.3},"sample":{"read":200,"created":3,"updated":4,"unchanged":193}}`,
	})
	a, stdout, _ := inTest()
	require.NoError(t, a.preview(t.Context(), c, "zoho", store.Incremental))
	require.Equal(t, "POST /v1/integrations/00000000-0000-4000-8000-0000000000aa/syncs", (*asked)[1])
	for _, line := range []string{
		"incremental, which reads everything this time, of Zoho CRM (Nord[2J)", "12,480", "66", "about 2", "about 1m30s", "66 (1.3 % of the day's limit)",
		"200 read: 3 to create, 4 to update, 193 unchanged, 0 to delete",
	} {
		require.Contains(t, stdout.String(), line)
	}
}

func TestVerifyFailsOnDrift(t *testing.T) {
	t.Parallel()

	for answer, want := range map[string]error{
		`{"ok":true,"contacts":5,"provider_count":5,"compared":5,"same":5,"drift":[]}`:                                                         nil,
		`{"ok":false,"contacts":5,"compared":5,"same":4,"drift":[{"kind":"gone_there","count":1,"external_ids":["7"]}],"provider_count":null}`: errSaid,
	} {
		c, _ := answers(t, map[string]string{"/v1/integrations": oneAccount, "/verify": answer})
		a, stdout, stderr := inTest()
		require.ErrorIs(t, a.verify(t.Context(), c, "zoho"), want)
		if want == nil {
			require.Contains(t, stdout.String(), "no drift was found")
			continue
		}
		require.Regexp(t, `gone there +1: 7`, stdout.String())
		require.Contains(t, stderr.String(), "`enlace sync zoho --full`")
	}
}

func TestDeletionsAreShownAndDecided(t *testing.T) {
	t.Parallel()

	run := uuid.MustParse("00000000-0000-4000-8000-0000000000bb")
	c, asked := answers(t, map[string]string{
		"/v1/integrations": oneAccount,
		"GET /v1/syncs":    `{"items":[{"id":"` + run.String() + `","outcome":"deletions_held"}],"next_cursor":null}`,
		"/deletions":       `{"items":[{"external_id":"7","name":"Ana","read_at":"2026-11-25T10:00:00Z"}],"summary":{"held":6,"sentence":"6 of 8 are missing."}}`,
		"/confirm":         `{"deleted":5,"kept":1}`,
	})
	found, err := c.heldRun(t.Context(), "zoho")
	require.NoError(t, err)
	require.Equal(t, run, found)
	a, stdout, _ := inTest()
	require.NoError(t, a.deletions(t.Context(), c, run, 10))
	require.Contains(t, stdout.String(), "6 of 8 are missing.")
	require.Regexp(t, `7 +Ana .*absent`, stdout.String())
	require.NoError(t, a.decideDeletions(t.Context(), c, run, "confirm"))
	require.Contains(t, stdout.String(), "5 deleted, 1 kept")
	require.Equal(t, "POST /v1/syncs/"+run.String()+"/deletions/confirm", (*asked)[len(*asked)-1])
}

func TestFailuresAndIncidentsAreListed(t *testing.T) {
	t.Parallel()

	c, _ := answers(t, map[string]string{
		"/v1/integrations": oneAccount,
		"/failures": `{"items":[{"external_id":"7","reason":"too_large","times":2,"sentence":"It is larger than 1 MB."}],"next_cursor":null,
			"reasons":[{"reason":"too_large","count":1,"sentence":"It is larger than 1 MB."}]}`,
		"/failures/retry": `{"retrying":1,"without_id":2}`,
		"/v1/incidents": `{"items":[{"code":"needs_reauth","provider_title":"Zoho CRM","external_account_name":"Nord","title":"Reconnect Zoho CRM",
			"sentence":"It no longer accepts us.","since":"It began at 09:12.","what_to_do":"What to do: Reconnect.","link":"https://app.example.com/"}],"next_cursor":null}`,
	})
	a, stdout, _ := inTest()
	require.NoError(t, a.failures(t.Context(), c, "zoho", "", 20))
	require.Contains(t, stdout.String(), "1 too_large: It is larger than 1 MB.")
	require.NoError(t, a.retryFailures(t.Context(), c, "zoho", ""))
	require.Contains(t, stdout.String(), "1 records are read again now")
	require.Contains(t, stdout.String(), "2 came without an id")
	require.NoError(t, a.incidents(t.Context(), c, url.Values{}, 20))
	require.Contains(t, stdout.String(), "Zoho CRM (Nord): Reconnect Zoho CRM (needs_reauth)\n  It no longer accepts us.\n  It began at 09:12.\n")
}
