//go:build unix

package postgres

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// roleVariable makes this test binary another process that owns or uses a server, for the tests that kill it.
const roleVariable = "ENLACE_POSTGRES_TEST_ROLE"

// testLinger is short enough to wait for, and long enough that a second user comes in time on a busy machine.
const testLinger = time.Second

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role, os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// play starts or joins a server, prints its connection string and waits to be killed or for its input to end.
func play(role, dir string) error {
	ctx := context.Background()
	switch role {
	case "owner":
		s, err := Start(ctx, Options{DataDir: dir})
		if err != nil {
			return err
		}
		defer func() { _ = s.Stop(ctx) }()
		fmt.Println(s.URL())
	case "user":
		dsn, release, err := joinSharedIn(ctx, dir, testLinger)
		if err != nil {
			return err
		}
		defer release()
		fmt.Println(dsn)
	}
	_, err := bufio.NewReader(os.Stdin).ReadByte()
	if err != nil {
		return nil //nolint:nilerr // the end of the input is the sign to leave
	}
	return nil
}

// actor is another process in a role.
type actor struct {
	*exec.Cmd
	dsn string
}

// kill ends the process as `kill -9` does.
func (a *actor) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, a.Process.Kill())
	_ = a.Wait()
}

// act starts another process in a role and waits until it has its server.
func act(t *testing.T, role, dir string) *actor {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return actAs(t, exec.Command(self), role, dir)
}

func actAs(t *testing.T, cmd *exec.Cmd, role, dir string) *actor {
	t.Helper()
	cmd.Args = append(cmd.Args, dir)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	_, err := cmd.StdinPipe() // closed when the process is killed
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the process in the role %s did not get a server", role)
	return &actor{Cmd: cmd, dsn: line[:len(line)-1]}
}

// folder is a temporary folder that the server's account may enter, which t.TempDir's parent does not let it.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "enlace-test-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func mustStart(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

func mustExec(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

// gone waits until nothing answers at the connection string.
func gone(t *testing.T, dsn string) {
	t.Helper()
	require.Eventually(t, func() bool { return ping(context.Background(), dsn) != nil }, 30*time.Second, 20*time.Millisecond)
}

func pidFile(dir string) string { return filepath.Join(dir, "postgres", "data", "postmaster.pid") }
