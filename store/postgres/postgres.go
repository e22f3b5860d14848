package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
)

const (
	superuser = "postgres"
	// startLimit bounds the wait for a server to accept connections; one that was killed replays its log first.
	startLimit = time.Minute
	// pingLimit is how long a server may take to let somebody in, on a machine that is busy with other things.
	pingLimit = 3 * time.Second
	// stopLimit is how long a fast shutdown may take before it becomes an immediate one.
	stopLimit = 5 * time.Second
	// portTries is how often another free port is taken because somebody else was quicker.
	portTries = 5
)

// Options say which server [Start] starts.
type Options struct {
	// DataDir keeps the data between runs, in its subfolder "postgres". Empty means [DefaultDataDir]. One process at a
	// time uses a folder. Started as root, the account that the server runs as must be able to enter it.
	DataDir string
	// Ephemeral is for tests: a folder of its own that Stop removes, and no wait for the disk. DataDir is not used.
	Ephemeral bool
	// Port on 127.0.0.1. 0 means any free one.
	Port int
	// Settings are added to the server's own, as in postgresql.conf.
	Settings map[string]string
	// Log gets a line for what a person would wonder about. The server's own log is the file postgres.log beside its data.
	Log zerolog.Logger
}

// Server is a running PostgreSQL that belongs to this process. Its methods may be called from any goroutine.
type Server struct {
	cluster *cluster
	port    int
	process *os.Process
	lock    *os.File
	done    chan struct{}
	exit    error // read after done is closed
	stop    sync.Once
}

// Start returns a server that accepts connections. The context bounds the start alone: the server runs until
// [Server.Stop], or until this process ends, whatever ends it.
//
// It fails if another process uses the same DataDir, if Port is taken, if the server's account cannot enter the folder,
// or if no PostgreSQL can be had; each error says what to do.
func Start(ctx context.Context, o Options) (*Server, error) {
	c, err := newCluster(o)
	if err != nil {
		return nil, err
	}
	lock, err := c.claim()
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, c, o)
	if err != nil {
		return nil, errors.Join(err, c.release(lock))
	}
	s.lock = lock
	return s, nil
}

func start(ctx context.Context, c *cluster, o Options) (*Server, error) {
	if err := c.settleLeftover(ctx); err != nil {
		return nil, err
	}
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	if o.Port != 0 {
		if _, err := freePort(ctx, o.Port); err != nil {
			return nil, fmt.Errorf("choose another port, or 0 for any: %w", err)
		}
		return c.launch(ctx, o.Port)
	}
	return onFreePort(ctx, c.launch)
}

// onFreePort asks the kernel for a port that is free, and again if somebody took it before the server did.
func onFreePort(ctx context.Context, launch func(context.Context, int) (*Server, error)) (*Server, error) {
	for try := 1; ; try++ {
		port, err := freePort(ctx, 0)
		if err != nil {
			return nil, err
		}
		s, err := launch(ctx, port)
		if !errors.Is(err, syscall.EADDRINUSE) || try == portTries {
			return s, err
		}
	}
}

// URL is the superuser's connection string. It holds the password: do not print it.
func (s *Server) URL() string { return s.cluster.url(s.port) }

// Port is where the server listens on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Done is closed when the server has ended, asked or not.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop ends the server: at once for its clients, but with its data written (a "fast" shutdown); without that
// (an "immediate" one, from which the next start recovers) if it takes longer than five seconds or than the context
// allows. It returns once the server is gone. Calling it again does nothing.
func (s *Server) Stop(ctx context.Context) error {
	var err error
	s.stop.Do(func() { err = s.end(ctx) })
	return err
}

func (s *Server) end(ctx context.Context) error {
	select {
	case <-s.done:
		return errors.Join(fmt.Errorf("postgres had already ended: %w", errors.Join(s.exit, s.cluster.lastWords())), s.cluster.release(s.lock))
	default:
	}
	if err := askToStop(s.process, s.cluster); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop postgres: %w", err)
	}
	limit, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	select {
	case <-s.done:
	case <-limit.Done():
		if err := forceToStop(s.process); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop postgres at once: %w", err)
		}
		<-s.done // the postmaster kills what is left of its own after five seconds more
	}
	return s.cluster.release(s.lock)
}

// launch starts the server program and waits until it answers.
func (c *cluster) launch(ctx context.Context, port int) (*Server, error) {
	log, err := c.openLog()
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()

	cmd := c.command("postgres", c.serverArgs(port)...)
	cmd.Stdout, cmd.Stderr = log, log
	s := &Server{cluster: c, port: port, done: make(chan struct{})}
	if s.process, err = runTied(cmd, func(exit error) {
		s.exit = exit
		close(s.done)
	}); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	if err := s.waitReady(ctx); err != nil {
		_ = forceToStop(s.process)
		<-s.done
		return nil, fmt.Errorf("start postgres in %s: %w", c.home, errors.Join(err, c.lastWords()))
	}
	return s, nil
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ping(ctx, s.URL())
		if err == nil {
			return nil
		}
		if s.cluster.portWasTaken() {
			return fmt.Errorf("listen on port %d: %w", s.port, syscall.EADDRINUSE)
		}
		select {
		case <-s.done:
			return errors.Join(errors.New("it ended"), s.exit)
		case <-ctx.Done():
			return fmt.Errorf("it did not accept a connection: %w", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// ping asks a server for an answer. Whoever else has the port may never give one.
func ping(ctx context.Context, dsn string) error {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// freePort returns the port if it is free, or for 0 any that is.
func freePort(ctx context.Context, port int) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, fmt.Errorf("find a port for postgres: %w", err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

func (c *cluster) url(port int) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, c.password), Path: "/postgres",
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), RawQuery: "sslmode=disable",
	}
	return u.String()
}

// DefaultDataDir is where the data of `enlace dev` is kept: the user's own state folder, or for root a system one, since
// the account that the server then runs as may not enter root's home.
func DefaultDataDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/enlace/dev", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "enlace", "dev"), nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the home folder: %w", err)
	}
	return filepath.Join(dir, "enlace", "dev"), nil
}
