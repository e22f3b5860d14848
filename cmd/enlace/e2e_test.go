//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// change asks for a change with the development key and returns the answer's body.
func change(t *testing.T, method, url, body string, want int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	status, answer := send(t, req, devKey)
	require.Equal(t, want, status, answer)
	return answer
}

// connect goes through Pipedrive's consent as a person's browser does.
func connect(t *testing.T, base string) {
	t.Helper()
	change(t, http.MethodPatch, base+"/sandbox/control/pipedrive", `{"auto_consent": true}`, http.StatusOK)
	var session struct {
		URL string `json:"url"`
	}
	answer := change(t, http.MethodPost, base+"/v1/connect-sessions", `{"provider": "pipedrive"}`, http.StatusCreated)
	require.NoError(t, json.Unmarshal([]byte(answer), &session))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, session.URL, http.NoBody)
	require.NoError(t, err)
	resp, err := (&http.Client{Jar: jar}).Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "connected", resp.Request.URL.Query().Get("enlace_result"), "on the dashboard: %s", resp.Request.URL)
}

// From nothing to a synced account, and on after a restart, with the commands that the README names.
func TestFirstSyncFromTheCommandLine(t *testing.T) {
	t.Parallel()

	dir := openDir(t)
	args := []string{"dev", "--addr", freeAddr(t), "--data", dir, "--contacts", "1200"}
	dev := startServer(t, nil, devEnv(), args...)
	base := dev.ready(t)
	env := []string{"ENLACE_URL=" + base} // without a key: this machine's development server needs none

	require.Equal(t, ended{"nothing is connected yet: open " + base + " and connect an account\n", "", exitOK}, enlace(t, env, "integrations"))
	connect(t, base)
	list := enlace(t, env, "integrations")
	require.Regexp(t, `(?m)^[0-9a-f-]{36}  Pipedrive  Nordlicht GmbH  Connected  0 +@every 15m`, list.stdout)

	full := enlace(t, env, "sync", "pipedrive", "--full", "--watch")
	require.Equal(t, exitOK, full.code, full.stdout+full.stderr)
	require.Regexp(t, `Finished: 1,200 synced \(1,200 created, 0 updated, 0 unchanged, 0 deleted, 0 skipped\) in `, lastLine(full.stdout))

	change(t, http.MethodPost, base+"/sandbox/control/pipedrive/mutate", `{"create": 3, "update": 5}`, http.StatusOK)
	require.Equal(t, exitOK, dev.stop(t, syscall.SIGTERM), dev.stderr)
	dev = startServer(t, nil, devEnv(), args...)
	require.Equal(t, base, dev.ready(t))

	again := enlace(t, env, "sync", "nordlicht gmbh", "--full", "--watch")
	require.Equal(t, exitOK, again.code, again.stdout+again.stderr)
	require.Contains(t, lastLine(again.stdout), "synced (")
	runs := enlace(t, env, "runs", "--integration", "pipedrive")
	require.Equal(t, 2, strings.Count(runs.stdout, " full "), runs.stdout)
	require.Equal(t, 2, strings.Count(runs.stdout, "Finished"), runs.stdout)

	change(t, http.MethodPost, base+"/sandbox/control/pipedrive/revoke", `{}`, http.StatusOK)
	failed := enlace(t, env, "sync", "pipedrive", "--full", "--watch")
	require.Equal(t, exitFailed, failed.code, failed.stdout+failed.stderr)
	require.Contains(t, failed.stderr, `what to do: choose "Reconnect" in the dashboard`)
	require.Equal(t, exitOK, dev.stop(t, syscall.SIGTERM), dev.stderr)
	for _, secret := range []string{"sandbox-secret", "Bearer ", "refresh_token="} {
		require.NotContains(t, dev.stderr.String(), secret)
	}
}
