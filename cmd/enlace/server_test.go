//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server is the program while it runs in the background.
type server struct {
	cmd    *exec.Cmd
	lines  chan string // of its stdout
	stderr *output
	ended  chan struct{}
}

// output is what was written so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// startServer runs the program with exactly this environment, as somebody else if who is not nil.
func startServer(t *testing.T, who *syscall.Credential, env []string, args ...string) *server {
	t.Helper()
	s := &server{lines: make(chan string, 100), stderr: new(output), ended: make(chan struct{})}
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)
	s.cmd.Env = append([]string{}, env...)
	s.cmd.Dir = "/"
	s.cmd.Stderr = s.stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	stdout, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	go s.read(stdout)
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.ended
		if t.Failed() {
			t.Logf("enlace %s said:\n%s", strings.Join(args, " "), s.stderr)
		}
	})
	return s
}

func (s *server) read(stdout io.Reader) {
	defer close(s.ended)
	defer func() { _ = s.cmd.Wait() }()
	defer close(s.lines)
	for scan := bufio.NewScanner(stdout); scan.Scan(); {
		s.lines <- scan.Text()
	}
}

const readyLine = "enlace is ready at "

// ready waits for the line that says where it is, and checks that it is true.
func (s *server) ready(t *testing.T) string {
	t.Helper()
	limit := time.After(commandLimit)
	for {
		select {
		case line, more := <-s.lines:
			require.True(t, more, "it ended: %s", s.stderr)
			if base, ok := strings.CutPrefix(line, readyLine); ok {
				return base
			}
		case <-limit:
			require.Fail(t, "it never became ready", s.stderr)
		}
	}
}

// stop sends a signal and returns how it ended, which people are promised to see in time.
func (s *server) stop(t *testing.T, signal os.Signal) int {
	t.Helper()
	began := time.Now()
	require.NoError(t, s.cmd.Process.Signal(signal))
	select {
	case <-s.ended:
	case <-time.After(2 * stopLimit):
		require.Fail(t, "it didn't stop", s.stderr)
	}
	require.Less(t, time.Since(began), stopLimit)
	return s.cmd.ProcessState.ExitCode()
}

// get reads a page as the holder of a key; "" as nobody.
func get(t *testing.T, url, key string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	return send(t, req, key)
}

func send(t *testing.T, req *http.Request, key string) (status int, body string) {
	t.Helper()
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

// openDir is a folder that another account may enter, unlike t.TempDir's.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "enlace-test-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}
