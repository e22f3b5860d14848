//go:build unix

package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
)

// linger is how long the shared server waits for another user: go test builds a package between two others.
const linger = 30 * time.Second

// keeper runs the shared server and ends it when nobody uses it any more. Descriptor 3 is the reading end of a pipe that
// every user holds open for writing, into which each writes one byte when it comes: reading ends when the last one has
// left, however it left, and bytes mean that somebody was there. The pipe loses its name before the last look, so that
// nobody can come in between.
const keeper = `
linger=$1 home=$2; shift 2
"$@" 3<&- & server=$!
while [ -n "$(cat <&3)" ]; do sleep "$linger"; done
rm -f "$home/users"
cat <&3 >/dev/null
kill -QUIT "$server"
wait "$server"
rm -rf "$home"
`

// shared is what test processes tell each other of the server: a file in a folder that only they can read.
type shared struct {
	URL  string `json:"url"`
	Home string `json:"home"`
}

func joinShared(ctx context.Context) (dsn string, release func(), err error) {
	return joinSharedIn(ctx, filepath.Join(os.TempDir(), "enlace-test-"+strconv.Itoa(os.Geteuid())), linger)
}

// joinSharedIn joins the server that the folder tells of, or starts one and tells of it there.
func joinSharedIn(ctx context.Context, dir string, linger time.Duration) (dsn string, release func(), err error) {
	lock, err := lockFolder(dir)
	if err != nil {
		return "", nil, fmt.Errorf("share a test server: %w", err)
	}
	defer func() { _ = lock.Close() }()

	path := filepath.Join(dir, "server.json")
	known, err := readShared(path)
	if err != nil {
		return "", nil, fmt.Errorf("share a test server: %w", err)
	}
	if users, err := known.join(ctx); err == nil {
		return known.URL, leave(users), nil
	}
	if err := known.bury(ctx); err != nil {
		return "", nil, fmt.Errorf("remove a test server that does not answer: %w", err)
	}
	fresh, users, err := startShared(ctx, linger)
	if err != nil {
		return "", nil, fmt.Errorf("start a test server: %w", err)
	}
	told, err := json.Marshal(fresh)
	if err == nil {
		err = os.WriteFile(path, told, 0o600) //nolint:gosec // in the folder checked by lockFolder
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("tell of the test server: %w", err), users.Close())
	}
	return fresh.URL, leave(users), nil
}

func leave(users *os.File) func() { return func() { _ = users.Close() } }

// lockFolder makes the folder and waits for its turn in it. A folder of that name which is not ours alone could hand us
// to somebody else's server.
func lockFolder(dir string) (*os.File, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) { //nolint:gosec // TMPDIR is the person's own
		return nil, err
	}
	info, err := os.Lstat(dir) //nolint:gosec // as above
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm()&0o077 != 0 || int64(stat.Uid) != int64(os.Geteuid()) {
		return nil, fmt.Errorf("%s must be a folder that is yours alone: remove it", dir)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the folder checked above
	if err != nil {
		return nil, err
	}
	if err := lockFile(lock, true); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// readShared reads what the last starter told; nothing, or something torn, means that there is no server.
func readShared(path string) (shared, error) {
	var known shared
	b, err := os.ReadFile(path) //nolint:gosec // in the folder checked above
	if errors.Is(err, os.ErrNotExist) {
		return shared{}, nil
	}
	if err != nil {
		return shared{}, err
	}
	if err := json.Unmarshal(b, &known); err != nil {
		return shared{}, nil //nolint:nilerr // its writer was killed
	}
	return known, nil
}

// join becomes a user: while the returned file is open, the keeper keeps the server.
func (s shared) join(ctx context.Context) (*os.File, error) {
	if s.Home == "" {
		return nil, os.ErrNotExist
	}
	users, err := openUsers(s.Home)
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx); err != nil {
		return nil, errors.Join(err, users.Close())
	}
	return users, nil
}

// wait returns nil if the server lives. Others use it: on a machine that is busy with their tests it may be long in
// answering, or have no connection left, and must not be taken for dead.
func (s shared) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := ping(ctx, s.URL)
		if full, ok := errors.AsType[*pgconn.PgError](err); ok && full.Code == pgerrcode.TooManyConnections {
			return nil
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// openUsers opens the pipe for writing, which fails if no keeper reads it, and leaves a byte.
func openUsers(home string) (*os.File, error) {
	users, err := os.OpenFile(filepath.Join(home, "users"), os.O_WRONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // a folder that we made
	if err != nil {
		return nil, err
	}
	if _, err := users.Write([]byte{'.'}); err != nil {
		return nil, errors.Join(err, users.Close())
	}
	return users, nil
}

// bury removes what is left of a server whose keeper was killed.
func (s shared) bury(ctx context.Context) error {
	if s.Home == "" {
		return nil
	}
	c := &cluster{home: s.Home}
	if err := c.settleLeftover(ctx); err != nil {
		return err
	}
	return os.RemoveAll(s.Home)
}

// startShared starts a server under a keeper that belongs to no test process, with this one as its first user.
func startShared(ctx context.Context, linger time.Duration) (shared, *os.File, error) {
	c, err := newCluster(Options{Ephemeral: true})
	if err != nil {
		return shared{}, nil, err
	}
	s, users, err := c.keep(ctx, linger)
	if err != nil {
		return shared{}, nil, errors.Join(err, c.settleLeftover(ctx), os.RemoveAll(c.home))
	}
	return s, users, nil
}

func (c *cluster) keep(ctx context.Context, linger time.Duration) (shared, *os.File, error) {
	if err := c.prepare(ctx); err != nil {
		return shared{}, nil, err
	}
	reader, users, err := c.makeUsers()
	if err != nil {
		return shared{}, nil, err
	}
	defer func() { _ = reader.Close() }()
	server, err := onFreePort(ctx, func(ctx context.Context, port int) (*Server, error) {
		return c.launchKept(ctx, port, linger, reader)
	})
	if err != nil {
		return shared{}, nil, errors.Join(err, users.Close())
	}
	return shared{URL: server.URL(), Home: c.home}, users, nil
}

// makeUsers makes the pipe and opens both ends.
func (c *cluster) makeUsers() (reader, users *os.File, err error) {
	path := filepath.Join(c.home, "users")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	if c.account != nil {
		if err := c.account.own(path); err != nil {
			return nil, nil, err
		}
	}
	// Without O_NONBLOCK opening waits for the other end. The keeper's reads must wait again.
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open the pipe: %w", err)
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open the pipe: %w", err), syscall.Close(fd))
	}
	reader = os.NewFile(uintptr(fd), path)
	if users, err = openUsers(c.home); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open the pipe: %w", err), reader.Close())
	}
	return reader, users, nil
}

func (c *cluster) launchKept(ctx context.Context, port int, linger time.Duration, reader *os.File) (*Server, error) {
	log, err := c.openLog()
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()

	server := c.command("postgres", c.serverArgs(port)...)
	args := append([]string{
		"-c", keeper, "enlace-test-postgres",
		strconv.FormatFloat(linger.Seconds(), 'f', -1, 64), c.home, server.Path,
	}, server.Args[1:]...)
	cmd := exec.Command("/bin/sh", args...) //nolint:gosec,noctx // it outlives this process
	cmd.Dir, cmd.Env = server.Dir, server.Env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{reader}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.account.credential()}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start its keeper: %w", err)
	}
	s := &Server{cluster: c, port: port, done: make(chan struct{}), process: cmd.Process}
	go func() {
		s.exit = cmd.Wait()
		close(s.done)
	}()
	if err := s.waitReady(ctx); err != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the keeper and all that it started
		<-s.done
		return nil, errors.Join(err, c.lastWords())
	}
	return s, nil
}
