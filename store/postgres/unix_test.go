//go:build unix

package postgres

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Where the kernel cannot tie the server to its owner, a killed owner leaves it running.
func TestOrphanedServerIsStopped(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	first := mustStart(t, Options{DataDir: dir})
	require.NoError(t, first.Stop(t.Context()))

	orphan := first.cluster.command("postgres", first.cluster.serverArgs(first.port)...)
	orphan.SysProcAttr = &syscall.SysProcAttr{Credential: first.cluster.account.credential()}
	require.NoError(t, orphan.Start())
	t.Cleanup(func() { _ = orphan.Process.Kill() })
	ended := make(chan error, 1)
	go func() { ended <- orphan.Wait() }()
	require.NoError(t, (&Server{cluster: first.cluster, port: first.port}).waitReady(t.Context()))

	next := mustStart(t, Options{DataDir: dir})
	require.NoError(t, <-ended, "a fast shutdown, not a kill")
	require.NoError(t, ping(t.Context(), next.URL()))
}

func TestFolderThatTheAccountMayNotEnterIsNamed(t *testing.T) {
	t.Parallel()

	if os.Geteuid() != 0 {
		t.Skip("only root runs the server as another account")
	}
	closed := filepath.Join(folder(t), "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))

	_, err := Start(t.Context(), Options{DataDir: filepath.Join(closed, "dev")})
	require.ErrorContains(t, err, "which may not enter "+closed)
}

func TestFolderOfAnotherAccountStaysItsOwn(t *testing.T) {
	t.Parallel()

	if os.Geteuid() != 0 {
		t.Skip("only root can make a folder for another account")
	}
	nobody := lookup("nobody")
	require.NotNil(t, nobody)

	dir := folder(t)
	require.NoError(t, nobody.own(dir))
	owner := actAs(t, asNobody(t, nobody), "owner", dir)
	mustExec(t, owner.dsn, `CREATE TABLE theirs ()`)
	owner.kill(t)

	s := mustStart(t, Options{DataDir: dir})
	mustExec(t, s.URL(), `SELECT FROM theirs`)
	require.Equal(t, nobody.uid, s.cluster.account.uid)
}

// asNobody is this test binary, run by an account that is not root, from a folder that it may enter.
func asNobody(t *testing.T, nobody *account) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(folder(t), "postgres.test")
	// Written by us, it would be "busy": a process that another test starts at this moment inherits the open file.
	require.NoError(t, exec.Command("cp", self, path).Run())
	require.NoError(t, os.Chmod(path, 0o755))

	cmd := exec.Command(path)
	cmd.Dir = filepath.Dir(path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: nobody.credential()}
	return cmd
}
