//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// devEnv is what a bare machine has. HOME is needed for nothing: the data folder is named.
func devEnv(more ...string) []string { return append([]string{"PATH=" + os.Getenv("PATH")}, more...) }

// makeKey makes an API key, as something that the database must keep.
func makeKey(t *testing.T, base string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/api-keys", strings.NewReader(`{"name":"kept"}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	status, body := send(t, req, devKey)
	require.Equal(t, http.StatusCreated, status, body)
	var made struct {
		Key string `json:"key"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &made))
	return made.Key
}

func TestDevKeepsItsDataThroughStopsAndKills(t *testing.T) {
	t.Parallel()

	dir := openDir(t)
	start := func(t *testing.T) (*server, string) {
		t.Helper()
		s := startServer(t, nil, devEnv(), "dev", "--addr", "127.0.0.1:0", "--data", dir, "--contacts", "20")
		base := s.ready(t)
		status, body := get(t, base+"/readyz", "")
		require.Equal(t, http.StatusOK, status, body)
		return s, base
	}

	s, base := start(t)
	key := makeKey(t, base)
	status, _ := get(t, base+"/v1/syncs", "")
	require.Equal(t, http.StatusUnauthorized, status)
	status, body := get(t, base+"/sandbox/control/pipedrive", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"contacts":20`)
	status, _ = get(t, base+"/riverui/", devKey)
	require.Equal(t, http.StatusOK, status)
	info, err := os.Stat(filepath.Join(dir, "encryption.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	sealed, err := os.ReadFile(filepath.Join(dir, "encryption.key"))
	require.NoError(t, err)

	t.Run("a port in use is one line that says what to do", func(t *testing.T) { //nolint:paralleltest // the first one must still run
		addr := strings.TrimPrefix(base, "http://")
		got := enlace(t, devEnv(), "dev", "--addr", addr, "--data", openDir(t))
		require.Equal(t, ended{"", "enlace: " + addr + " is in use: stop the program that listens there, or choose another port with --addr\n", exitUsage}, got)
	})
	t.Run("a folder in use is one line that says what to do", func(t *testing.T) { //nolint:paralleltest // as above
		got := enlace(t, devEnv(), "dev", "--addr", "127.0.0.1:0", "--data", dir)
		require.Equal(t, exitFailed, got.code)
		require.Contains(t, lastLine(got.stderr), "stop it, or choose another data folder")
	})
	t.Run("it stops, is killed, and goes on", func(t *testing.T) { //nolint:paralleltest // after the others
		for _, end := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL, os.Interrupt} {
			code := s.stop(t, end)
			if end != syscall.SIGKILL {
				require.Equal(t, exitOK, code, "%s: %s", end, s.stderr)
			}
			s, base = start(t)
			status, body := get(t, base+"/v1/syncs", key)
			require.Equal(t, http.StatusOK, status, "after %s: %s", end, body)
			same, err := os.ReadFile(filepath.Join(dir, "encryption.key"))
			require.NoError(t, err)
			require.Equal(t, sealed, same)
		}
		require.Equal(t, exitOK, s.stop(t, syscall.SIGTERM))
	})
}

func TestDevEndsInTimeWhenPostgresDoesNot(t *testing.T) {
	t.Parallel()

	dir := openDir(t)
	s := startServer(t, nil, devEnv(), "dev", "--addr", "127.0.0.1:0", "--data", dir, "--contacts", "1")
	s.ready(t)
	b, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.SplitN(string(b), "\n", 2)[0])
	require.NoError(t, err)
	t.Cleanup(func() { // before the folder is removed
		_ = syscall.Kill(pid, syscall.SIGCONT)
		require.Eventually(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) }, commandLimit, 50*time.Millisecond)
	})
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	require.Equal(t, exitOK, s.stop(t, syscall.SIGTERM), s.stderr)
}

// zombie reports whether a process has ended and only waits for a parent to hear of it.
func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(b), ") Z ")
}

func TestDevOnAnEncryptionKeyThatIsNone(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "encryption.key")
	require.NoError(t, os.WriteFile(path, []byte("geheim\n"), 0o600))
	_, err := devEncryptionKey(filepath.Dir(path))
	require.EqualError(t, err, path+" must hold 64 hexadecimal digits: put the key back, or remove the file and reconnect the accounts")
	require.NotContains(t, err.Error(), "geheim")
}

func TestDevUsesTheRealPipedriveWhenItHasCredentials(t *testing.T) {
	t.Parallel()

	cfg := &config{PipedriveClientID: "id", PipedriveClientSecret: "secret"}
	require.Equal(t, []string{"Pipedrive"}, useSandbox(cfg, "http://127.0.0.1:1"))
	require.Equal(t, "https://oauth.pipedrive.com/oauth/token", providerList(cfg)[0].OAuth.Config.Endpoint.TokenURL)

	cfg = &config{}
	require.Empty(t, useSandbox(cfg, "http://127.0.0.1:1"))
	require.Equal(t, "http://127.0.0.1:1/sandbox/pipedrive/oauth/token", providerList(cfg)[0].OAuth.Config.Endpoint.TokenURL)
}
