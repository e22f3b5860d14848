//go:build unix

package postgres

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sharedFolder is where the processes of one test tell each other of their server, which is gone when the test is over.
func sharedFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(folder(t), "shared")
	t.Cleanup(func() {
		known, err := readShared(filepath.Join(dir, "server.json"))
		require.NoError(t, err)
		if known.Home == "" {
			return
		}
		require.Eventually(t, func() bool {
			_, err := os.Stat(known.Home)
			return os.IsNotExist(err)
		}, 30*time.Second, 20*time.Millisecond, "the server's folder is left behind")
		require.Error(t, ping(context.Background(), known.URL))
	})
	return dir
}

// sharedPID is the process number of the server that the folder tells of.
func sharedPID(t *testing.T, dir string) int {
	t.Helper()
	known, err := readShared(filepath.Join(dir, "server.json"))
	require.NoError(t, err)
	pid, err := readPID(filepath.Join(known.Home, "data", "postmaster.pid"))
	require.NoError(t, err)
	return pid
}

func TestProcessesThatStartAtOnceShareOneServer(t *testing.T) {
	t.Parallel()

	dir := sharedFolder(t)
	dsns := make([]string, 3)
	var starting sync.WaitGroup
	for i := range dsns {
		starting.Go(func() { dsns[i] = act(t, "user", dir).dsn })
	}
	starting.Wait()
	require.Equal(t, []string{dsns[0], dsns[0], dsns[0]}, dsns)
	require.NoError(t, ping(t.Context(), dsns[0]))
}

func TestSharedServerOutlivesWhoStartedIt(t *testing.T) {
	t.Parallel()

	dir := sharedFolder(t)
	starter := act(t, "user", dir)
	dsn, release, err := joinSharedIn(t.Context(), dir, testLinger)
	require.NoError(t, err)
	starter.kill(t)

	<-time.After(2 * testLinger)
	require.NoError(t, ping(t.Context(), dsn), "it has a user yet")
	release()
	gone(t, dsn)
}

func TestSharedServerWaitsForTheNextUser(t *testing.T) {
	t.Parallel()

	dir := sharedFolder(t)
	first, release, err := joinSharedIn(t.Context(), dir, 5*testLinger)
	require.NoError(t, err)
	release()
	<-time.After(testLinger)
	second, release, err := joinSharedIn(t.Context(), dir, 5*testLinger)
	require.NoError(t, err)
	t.Cleanup(release)
	require.Equal(t, first, second)
}

func TestKilledUsersLeaveNoServer(t *testing.T) {
	t.Parallel()

	dir := sharedFolder(t)
	one, two := act(t, "user", dir), act(t, "user", dir)
	one.kill(t)
	two.kill(t)
	gone(t, one.dsn)

	next, release, err := joinSharedIn(t.Context(), dir, testLinger)
	require.NoError(t, err)
	t.Cleanup(release)
	require.NotEqual(t, one.dsn, next)
}

func TestSharedServerThatDiedIsReplaced(t *testing.T) {
	t.Parallel()

	dir := sharedFolder(t)
	dead, release, err := joinSharedIn(t.Context(), dir, testLinger)
	require.NoError(t, err)
	t.Cleanup(release)
	known, err := readShared(filepath.Join(dir, "server.json"))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(sharedPID(t, dir), syscall.SIGKILL))
	gone(t, dead)

	next, releaseNext, err := joinSharedIn(t.Context(), dir, testLinger)
	require.NoError(t, err)
	t.Cleanup(releaseNext)
	require.NotEqual(t, dead, next)
	require.NoDirExists(t, known.Home)
}

func TestSharedServerThatIsSlowIsNotTakenForDead(t *testing.T) {
	t.Parallel()

	dir := sharedFolder(t)
	first, release, err := joinSharedIn(t.Context(), dir, testLinger)
	require.NoError(t, err)
	t.Cleanup(release)
	pid := sharedPID(t, dir)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	time.AfterFunc(pingLimit+time.Second, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })

	second, releaseSecond, err := joinSharedIn(t.Context(), dir, testLinger)
	require.NoError(t, err)
	t.Cleanup(releaseSecond)
	require.Equal(t, first, second)
}

func TestFolderOfSomebodyElseIsNotTrusted(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(folder(t), "open")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chmod(dir, 0o777))

	_, _, err := joinSharedIn(t.Context(), dir, testLinger)
	require.ErrorContains(t, err, "yours alone")
}

func TestGivenServerIsUsed(t *testing.T) {
	t.Setenv("ENLACE_TEST_DATABASE_URL", "postgres://given")

	dsn, release, err := Shared(t.Context())
	require.NoError(t, err)
	release()
	require.Equal(t, "postgres://given", dsn)
}
