//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store/storetest"
)

// freeAddr is an address that nobody listens on. Somebody may take it before the program does; no test here does.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// waitFor asks until the address answers 200.
func waitFor(t *testing.T, s *server, url string) {
	t.Helper()
	limit := time.After(commandLimit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		require.NoError(t, err)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-s.ended:
			require.Fail(t, "it ended", s.stderr)
		case <-limit:
			require.Fail(t, "it never answered", s.stderr)
		}
	}
}

// accounts are those that a process runs as: this one, and if that is root, one that may nothing.
func accounts() map[string]*syscall.Credential {
	list := map[string]*syscall.Credential{"as this account": nil}
	if os.Geteuid() == 0 {
		list["as an account that may nothing"] = &syscall.Credential{Uid: 65532, Gid: 65532, Groups: []uint32{}}
	}
	return list
}

func TestMigrateServeAndWorkerOnADatabase(t *testing.T) {
	t.Parallel()

	for name, who := range accounts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			addr := freeAddr(t)
			env := []string{
				"DATABASE_URL=" + storetest.EmptyURL(t), "ENCRYPTION_KEY=" + goodKey, "PUBLIC_URL=http://" + addr, "LISTEN_ADDR=" + addr,
				"PIPEDRIVE_CLIENT_ID=", // as env files have it
			}

			early := enlace(t, env, "serve")
			require.Equal(t, exitFailed, early.code)
			require.Contains(t, lastLine(early.stderr), "enlace migrate", "it says what to do first")

			migrate := startServer(t, who, env, "migrate")
			require.Contains(t, <-migrate.lines, "migrations applied")
			<-migrate.ended
			require.Equal(t, exitOK, migrate.cmd.ProcessState.ExitCode())
			again := enlace(t, env, "migrate")
			require.Regexp(t, `^the database is up to date \(version \d+\)\n$`, again.stdout)

			require.Equal(t, exitFailed, enlace(t, env, "health").code, "nobody listens yet")
			for _, command := range []string{"worker", "api", "serve"} {
				s := startServer(t, who, env, command)
				waitFor(t, s, "http://"+addr+"/readyz")
				waitFor(t, s, "http://"+addr+"/healthz")
				require.Equal(t, ended{}, enlace(t, env, "health"))
				taken := enlace(t, env, command)
				require.Equal(t, exitUsage, taken.code)
				require.Equal(t, "enlace: "+addr+" is in use: stop the program that listens there, or choose another port with LISTEN_ADDR\n", taken.stderr)
				require.Equal(t, exitOK, s.stop(t, syscall.SIGTERM), "%s: %s", command, s.stderr)
				for line := range strings.Lines(s.stderr.String()) {
					require.True(t, json.Valid([]byte(line)), "the log is JSON where no person looks: %s", line)
				}
			}
		})
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()

	addr := freeAddr(t)
	env := []string{
		"DATABASE_URL=" + storetest.URL(t), "ENCRYPTION_KEY=" + goodKey, "PUBLIC_URL=http://" + addr, "LISTEN_ADDR=" + addr,
	}
	key := strings.TrimSpace(enlace(t, env, "keys", "new", "--tenant", demoTenant).stdout)
	s := startServer(t, nil, env, "api")
	waitFor(t, s, "http://"+addr+"/readyz")

	// A request whose body doesn't come keeps the server from stopping.
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /v1/connect-sessions HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", addr, key)
	require.NoError(t, err)
	answer := make([]byte, len("HTTP/1.1 100"))
	_, err = io.ReadFull(conn, answer)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100", string(answer), "it waits for the body")

	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	said(t, s, `"stopping"`)
	began := time.Now()
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	<-s.ended
	require.Less(t, time.Since(began), stopLimit/3)
	require.NotEqual(t, exitOK, s.cmd.ProcessState.ExitCode())
}

// said waits until the log says something.
func said(t *testing.T, s *server, text string) {
	t.Helper()
	limit := time.After(commandLimit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(s.stderr.String(), text) {
		select {
		case <-tick.C:
		case <-s.ended:
			require.Contains(t, s.stderr.String(), text, "it ended")
		case <-limit:
			require.Fail(t, "it never said it", s.stderr)
		}
	}
}

// TestTheKeyThatEverybodyKnows opens what listens on one's own machine, and nothing that others reach.
func TestTheKeyThatEverybodyKnows(t *testing.T) {
	t.Parallel()

	database := storetest.URL(t)
	dir := openDir(t)
	dev := startServer(t, nil, devEnv("DATABASE_URL="+database), "dev", "--addr", "127.0.0.1:0", "--data", dir, "--contacts", "1")
	base := dev.ready(t)
	require.NoDirExists(t, dir+"/postgres", "the database of DATABASE_URL is used")
	status, _ := get(t, base+"/v1/syncs", devKey)
	require.Equal(t, http.StatusOK, status)

	env := []string{"DATABASE_URL=" + database, "ENCRYPTION_KEY=" + goodKey, "PUBLIC_URL=https://enlace.example.com", "LISTEN_ADDR=127.0.0.1:0"}
	s := startServer(t, nil, env, "serve")
	said(t, s, `"started"`)
	served := regexp.MustCompile(`"listen_addr":"([^"]+)"`).FindStringSubmatch(s.stderr.String())
	require.Len(t, served, 2)
	status, _ = get(t, "http://"+served[1]+"/v1/syncs", devKey)
	require.Equal(t, http.StatusUnauthorized, status)
}

// TestDevKeepsAwayFromADatabaseInUse: its worker would send other tenants' tokens to the sandbox.
func TestDevKeepsAwayFromADatabaseInUse(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	_, err := pool.Exec(t.Context(), `INSERT INTO integrations (tenant_id, provider) VALUES (gen_random_uuid(), 'pipedrive')`)
	require.NoError(t, err)
	refused := enlace(t, devEnv("DATABASE_URL="+pool.Config().ConnString()), "dev", "--addr", "127.0.0.1:0", "--data", openDir(t))
	require.Equal(t, exitUsage, refused.code)
	require.Contains(t, lastLine(refused.stderr), "the database of DATABASE_URL serves tenants of its own")
}

func TestKeysAtTheCommandLine(t *testing.T) {
	t.Parallel()

	env := []string{"DATABASE_URL=" + storetest.URL(t), "ENCRYPTION_KEY=" + goodKey}
	tenant := uuid.New()
	made := enlace(t, env, "keys", "new", "--tenant", tenant.String(), "--name", "a\x1b[31mb")
	require.Equal(t, exitOK, made.code, made.stderr)
	require.Regexp(t, `^enlace_[A-Za-z0-9_-]{43}\n$`, made.stdout)

	listed := enlace(t, env, "keys", "list")
	require.Contains(t, listed.stdout, tenant.String())
	require.NotContains(t, listed.stdout, strings.TrimSpace(made.stdout))
	require.NotContains(t, listed.stdout, "\x1b")

	rotated := enlace(t, env, "keys", "rotate")
	require.Equal(t, ended{"sealed anew: 0; with the current key already: 0; not opened: 0\n", "", exitOK}, rotated)

	unknown := uuid.New()
	require.Equal(t, ended{"", "enlace: there is no API key " + unknown.String() + ": `enlace keys list` lists them\n", exitFailed},
		enlace(t, env, "keys", "revoke", unknown.String()))
}

func TestDoctorSaysWhatToDo(t *testing.T) {
	t.Parallel()

	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	go func() { _ = host.Serve(l) }()
	t.Cleanup(func() { _ = host.Close() })
	provider := func(addr string) []string {
		return []string{"PIPEDRIVE_CLIENT_ID=id", "PIPEDRIVE_CLIENT_SECRET=geheim", "PIPEDRIVE_AUTH_BASE_URL=http://" + addr}
	}

	good := append([]string{
		"DATABASE_URL=" + storetest.URL(t), "ENCRYPTION_KEY=" + goodKey, "PUBLIC_URL=https://enlace.example.com", "ENLACE_ADMIN_KEY=" + strings.Repeat("k", 32),
	}, provider(l.Addr().String())...)
	got := enlace(t, good, "doctor")
	require.Equal(t, ended{`ok       configuration
ok       PUBLIC_URL is https
ok       Pipedrive: ` + l.Addr().String() + ` answers
ok       database answers
ok       notifications arrive
ok       migrations are up to date
ok       keys open the tokens of 0 integrations

all is well
`, "", exitOK}, got)

	for name, tt := range map[string]struct {
		env  []string
		says []string
	}{
		"a variable that is malformed": {[]string{"WORKERS=many"}, []string{"problem  configuration: WORKERS is malformed"}},
		"nothing at all": {
			[]string{"DATABASE_URL=", "ENCRYPTION_KEY=", "PUBLIC_URL=", "PIPEDRIVE_CLIENT_ID=", "PIPEDRIVE_CLIENT_SECRET=", "ENLACE_ADMIN_KEY="},
			[]string{"problem  configuration: DATABASE_URL is missing", "ENCRYPTION_KEY is missing", "PUBLIC_URL is missing", "no provider has credentials", "note     neither ENLACE_ADMIN_KEY nor"},
		},
		"an address in the open":        {[]string{"PUBLIC_URL=http://enlace.example.com"}, []string{"problem  PUBLIC_URL is not https", "put a proxy with a certificate"}},
		"a database that is away":       {[]string{"DATABASE_URL=postgres://u:geheim@127.0.0.1:1/db"}, []string{"problem  database: reach database: ", "start it, or correct DATABASE_URL"}},
		"a database without migrations": {[]string{"DATABASE_URL=" + storetest.EmptyURL(t)}, []string{"problem  migrations: ", "run `enlace migrate`"}},
		"a provider that is away":       {provider(freeAddr(t)), []string{"problem  Pipedrive: 127.0.0.1:", "does not answer (connection refused)"}},
		"bare connects":                 {[]string{"CONNECT_ALLOW_BARE=true"}, []string{"problem  CONNECT_ALLOW_BARE is true"}},
		"a pooler without a limit":      {[]string{"DATABASE_POLL_ONLY=true"}, []string{"problem  database: a process that stands still", "ALTER ROLE", "note     DATABASE_POLL_ONLY without DATABASE_DIRECT_URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := enlace(t, append(append([]string{}, good...), tt.env...), "doctor")
			require.Equal(t, exitFailed, got.code)
			require.Empty(t, got.stderr)
			for _, line := range tt.says {
				require.Contains(t, got.stdout, line)
			}
			require.Contains(t, got.stdout, strconv.Itoa(strings.Count(got.stdout, "problem  "))+" to look at\n")
			require.NotContains(t, got.stdout, "geheim")
		})
	}
}
