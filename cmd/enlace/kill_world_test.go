//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
)

// install is enlace as it runs in production, on a sandbox.
type install struct {
	database string
	fake     *sandbox.Pipedrive // of a sandbox that the test holds
	sandbox  string             // its address
	provider string             // whose account is connected
	extra    []string           // variables beside the usual ones
	api      string             // the address of the API process that the test asks
	key      string             // of a tenant
	account  string             // the connected integration
	pool     *pgxpool.Pool
}

// newInstall migrates a database and makes a tenant's key. No process runs yet.
func newInstall(t *testing.T, database string, contacts int) *install {
	t.Helper()
	fakes := sandbox.New(sandbox.Config{Contacts: contacts})
	t.Cleanup(fakes.Close)
	server := httptest.NewServer(fakes.Handler())
	t.Cleanup(server.Close)
	fakes.SetBaseURL(server.URL)
	in := &install{database: database, fake: fakes.Pipedrive(), sandbox: server.URL, provider: "pipedrive", api: freeAddr(t)}
	require.NoError(t, in.fake.Configure(func(s *sandbox.PipedriveSettings) { s.AutoConsent, s.RotateRefreshTokens = true, true }))
	in.prepare(t)
	return in
}

// prepare migrates the database and makes a tenant's key.
func (in *install) prepare(t *testing.T) {
	t.Helper()
	env := in.env("", in.api)
	migrated := enlace(t, env, "migrate")
	require.Equal(t, exitOK, migrated.code, migrated.stderr)
	made := enlace(t, env, "keys", "new", "--tenant", uuid.NewString())
	require.Equal(t, exitOK, made.code, made.stderr)
	in.key = strings.TrimSpace(made.stdout)
	var err error
	in.pool, err = pgxpool.New(t.Context(), in.database)
	require.NoError(t, err)
	t.Cleanup(in.pool.Close)
}

// env is the environment of a process. Its sessions in Postgres know it by this name.
func (in *install) env(name, addr string) []string {
	database, err := url.Parse(in.database)
	if err != nil {
		panic(err) // the test made it
	}
	query := database.Query()
	query.Set("options", "-c enlace.process="+name)
	database.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	env := append([]string{
		"DATABASE_URL=" + database.String(), "ENCRYPTION_KEY=" + goodKey, "PUBLIC_URL=http://" + in.api, "LISTEN_ADDR=" + addr,
	}, in.extra...)
	for _, a := range adapters() {
		if a.name == in.provider {
			for _, v := range a.sandboxVariables(in.sandbox) {
				env = append(env, v.name+"="+v.value)
			}
		}
	}
	return env
}

// member is one process of an install, which can be started again after its death.
type member struct {
	*server

	command, name, addr string
}

// start runs a process and waits until it is ready.
func (in *install) start(t *testing.T, m *member) {
	t.Helper()
	m.server = startServer(t, nil, in.env(m.name, m.addr), m.command)
	waitFor(t, m.server, "http://"+m.addr+"/readyz")
}

// kill ends it as the kernel would.
func (m *member) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, m.cmd.Process.Kill())
	<-m.ended
}

// connect connects the sandbox's first account, through an API process that runs.
func (in *install) connect(t *testing.T) {
	t.Helper()
	var session struct {
		URL string `json:"url"`
	}
	in.ask(t, http.MethodPost, "/v1/connect-sessions", `{"provider": "`+in.provider+`"}`, http.StatusCreated, &session)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, session.URL, http.NoBody)
	require.NoError(t, err)
	resp, err := (&http.Client{Jar: jar}).Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "connected", resp.Request.URL.Query().Get("enlace_result"), resp.Request.URL)
	var list struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	in.ask(t, http.MethodGet, "/v1/integrations", "", http.StatusOK, &list)
	require.Len(t, list.Items, 1)
	in.account = list.Items[0].ID
}

// ask asks the API as the tenant.
func (in *install) ask(t *testing.T, method, path, body string, want int, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+in.api+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	status, answer := send(t, req, in.key)
	require.Equal(t, want, status, answer)
	require.NoError(t, json.Unmarshal([]byte(answer), into))
}

// count reads one number from the database.
func (in *install) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, in.pool.QueryRow(t.Context(), sql, args...).Scan(&n), sql)
	return n
}

// person is what a stored contact and a person of the sandbox have in common.
type person struct {
	name    string
	updated time.Time
}

// requireSameContacts compares what is stored with what the sandbox has.
func (in *install) requireSameContacts(t *testing.T) {
	t.Helper()
	want := make(map[string]person)
	for after := int64(0); ; {
		page, err := in.fake.Contacts(in.fake.Companies()[0].ID, after, 1000)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, raw := range page {
			var p struct {
				ID         int64  `json:"id"`
				Name       string `json:"name"`
				UpdateTime string `json:"update_time"`
			}
			require.NoError(t, json.Unmarshal(raw, &p))
			updated, _ := time.Parse(time.RFC3339, p.UpdateTime) // some have none that can be read
			want[strconv.FormatInt(p.ID, 10)] = person{providers.CleanText(p.Name), updated.UTC()}
			after = p.ID
		}
	}
	rows, err := in.pool.Query(t.Context(), `SELECT external_id, coalesce(name, ''), coalesce(remote_updated_at, $1) FROM contacts WHERE deleted_at IS NULL`, time.Time{})
	require.NoError(t, err)
	got := make(map[string]person)
	var id string
	var p person
	_, err = pgx.ForEachRow(rows, []any{&id, &p.name, &p.updated}, func() error {
		got[id] = person{p.name, p.updated.UTC()}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for id, p := range want {
		require.Equal(t, p, got[id], "contact %s", id)
	}
}
