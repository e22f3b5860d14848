//go:build unix

package postgres

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestDataIsKeptBetweenRuns(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	first := mustStart(t, Options{DataDir: dir})
	mustExec(t, first.URL(), `CREATE TABLE kept ()`)
	require.NoError(t, first.Stop(t.Context()))
	require.Error(t, ping(t.Context(), first.URL()))
	<-first.Done()
	require.NoError(t, first.Stop(t.Context()), "a second Stop does nothing")

	second := mustStart(t, Options{DataDir: dir})
	mustExec(t, second.URL(), `SELECT FROM kept`)
}

func TestOneProcessAtATimeUsesAFolder(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	owner := act(t, "owner", dir)

	_, err := Start(t.Context(), Options{DataDir: dir})
	require.ErrorContains(t, err, "another enlace (process "+strconv.Itoa(owner.Process.Pid)+") already runs on")
	require.NoError(t, ping(t.Context(), owner.dsn), "the other one goes on")
}

func TestServerEndsWithItsKilledOwnerAndLosesNothing(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	owner := act(t, "owner", dir)
	mustExec(t, owner.dsn, `CREATE TABLE committed ()`)
	owner.kill(t)
	if runtime.GOOS == "linux" { // elsewhere the next start stops it
		gone(t, owner.dsn)
	}

	next := mustStart(t, Options{DataDir: dir})
	mustExec(t, next.URL(), `SELECT FROM committed`)
}

func TestLeftoverOfAnEarlierRunIsSettled(t *testing.T) {
	t.Parallel()

	leftovers := map[string]string{
		"a process number that nobody has":                "2147483646\n",
		"a process number that is somebody else's by now": strconv.Itoa(os.Getpid()) + "\n",
		"a file cut short when the machine stopped":       "",
	}
	dir := folder(t)
	s := mustStart(t, Options{DataDir: dir}) // one folder for all: making it takes longer than the rest
	for name, content := range leftovers {
		require.NoError(t, s.Stop(t.Context()), name)
		require.NoError(t, os.WriteFile(pidFile(dir), []byte(content), 0o600))
		s = mustStart(t, Options{DataDir: dir})
		require.NoError(t, ping(t.Context(), s.URL()), name)
	}
}

func TestInterruptedFirstRunIsRepeated(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	unfinished := filepath.Join(dir, "postgres", "data.new")
	require.NoError(t, os.MkdirAll(unfinished, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(unfinished, "PG_VERSION"), []byte("15\n"), 0o600))

	s := mustStart(t, Options{DataDir: dir})
	require.NoError(t, ping(t.Context(), s.URL()))
	require.NoDirExists(t, unfinished)
}

func TestTakenPortIsNamed(t *testing.T) {
	t.Parallel()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	port := l.Addr().(*net.TCPAddr).Port

	_, err = Start(t.Context(), Options{Ephemeral: true, Port: port})
	require.ErrorContains(t, err, strconv.Itoa(port))
	require.ErrorContains(t, err, "choose another port")

	c, err := newCluster(Options{Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(c.home) })
	require.NoError(t, c.prepare(t.Context()))
	tried := []int{port} // taken after the kernel called it free
	s, err := onFreePort(t.Context(), func(ctx context.Context, free int) (*Server, error) {
		tried = append(tried, free)
		return c.launch(ctx, tried[len(tried)-2])
	})
	require.NoError(t, err)
	require.Len(t, tried, 3)
	require.NoError(t, askToStop(s.process, c))
	<-s.Done()
}

func TestEphemeralServerLeavesNothing(t *testing.T) {
	t.Parallel()

	s := mustStart(t, Options{Ephemeral: true, Settings: map[string]string{"work_mem": "5MB"}})
	conn, err := pgx.Connect(t.Context(), s.URL())
	require.NoError(t, err)
	var workMem, fsync string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT current_setting('work_mem'), current_setting('fsync')`).Scan(&workMem, &fsync))
	require.Equal(t, "5MB", workMem)
	require.Equal(t, "off", fsync)
	require.DirExists(t, s.cluster.home)

	require.NoError(t, s.Stop(t.Context()), "an open connection does not keep it")
	require.NoDirExists(t, s.cluster.home)
}

func TestServerAsksForAPassword(t *testing.T) {
	t.Parallel()

	s := mustStart(t, Options{Ephemeral: true})
	u, err := url.Parse(s.URL())
	require.NoError(t, err)
	u.User = url.UserPassword("postgres", "guess")

	err = ping(t.Context(), u.String())
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "28P01", refused.Code)
}

func TestDoneTellsOfAServerThatEndsByItself(t *testing.T) {
	t.Parallel()

	s := mustStart(t, Options{Ephemeral: true})
	require.NoError(t, forceToStop(s.process))
	<-s.Done()
	require.ErrorContains(t, s.Stop(t.Context()), "had already ended")
	require.NoDirExists(t, s.cluster.home)
}

func TestBadSettingIsSaidInTheServersWords(t *testing.T) {
	t.Parallel()

	_, err := Start(t.Context(), Options{Ephemeral: true, Settings: map[string]string{"no_such_setting": "1"}})
	require.ErrorContains(t, err, "no_such_setting")
}
