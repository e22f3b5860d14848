//go:build unix

package worker_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
	"example.com/enlace/worker"
)

// processVariable makes this test binary a worker process, one that the tests may kill or stop.
const processVariable = "ENLACE_TEST_WORKER"

func TestMain(m *testing.M) {
	config := os.Getenv(processVariable)
	if config == "" {
		os.Exit(m.Run())
	}
	if err := runProcess(config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// processConfig is what a worker process is told through its environment.
type processConfig struct {
	Database string
	Sandbox  string
	Name     string // application_name
	Times    times
	Workers  int
	Odds     map[place]odds
}

// times are the spans of a worker, and what the store's options and the pool make of them.
type times struct {
	Lease time.Duration
	Idle  time.Duration // idle_in_transaction_session_timeout
	Spans worker.Spans
}

// odds are the probabilities that a process ends, or stands still, at a place.
type odds struct{ Kill, Stop float64 }

// runProcess works until SIGTERM, or until whoever started it is gone.
func runProcess(raw string) error {
	var cfg processConfig
	if err := json.Unmarshal([]byte(raw), &cfg); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()

	f := &fate{odds: cfg.Odds, idle: cfg.Times.Idle, out: os.Stdout}
	pool, err := store.Open(ctx, cfg.Database, store.PoolOptions{MaxConns: int32(cfg.Workers) + 4, Name: cfg.Name, Tracer: f})
	if err != nil {
		return err
	}
	log := zerolog.New(os.Stderr).With().Timestamp().Str("process", cfg.Name).Logger()
	w, err := assemble(pool, cfg.Sandbox, assembly{
		times: cfg.Times, workers: cfg.Workers, transport: &fatefulTransport{providers.NewTransport(time.Minute), f}, log: log,
	})
	if err != nil {
		return err
	}
	if err := w.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return w.Stop(limit)
}

// assembly is what a worker of a test is made of.
type assembly struct {
	times     times
	workers   int
	list      []*providers.Provider // nil: Pipedrive in the sandbox
	pollOnly  bool
	transport http.RoundTripper // nil: the vault's own
	log       zerolog.Logger
}

// assemble makes a worker as cmd/enlace does.
func assemble(pool *pgxpool.Pool, sandboxURL string, a assembly) (*worker.Worker, error) {
	if a.list == nil {
		base := sandboxURL + "/sandbox/pipedrive"
		a.list = []*providers.Provider{pipedrive.New(pipedrive.Config{
			ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret, AuthBaseURL: base, APIBaseURL: base, TokenClient: &http.Client{},
		})}
	}
	keys, err := vault.NewKeyring(key)
	if err != nil {
		return nil, err
	}
	s := store.New(pool, store.WithLease(a.times.Lease))
	return worker.New(worker.Options{
		Driver: riverpgxv5.New(pool), Store: s, Vault: vault.New(s, keys, a.list, vault.Options{Transport: a.transport, Log: a.log}),
		Providers: a.list, Log: a.log, Workers: a.workers, PollOnly: a.pollOnly, Spans: a.times.Spans,
	})
}

// process is a worker process that a test has started.
type process struct {
	cmd  *exec.Cmd
	in   io.Closer
	done chan struct{}
}

// startProcess starts a worker process. It is continued some time after it has stopped itself, unless stay is set.
func (f *fleet) startProcess(t *testing.T, stay bool) *process {
	t.Helper()
	f.mu.Lock()
	f.started++
	f.cfg.Name = fmt.Sprintf("worker-%d", f.started)
	raw, err := json.Marshal(f.cfg)
	f.mu.Unlock()
	require.NoError(t, err)
	p := &process{cmd: exec.CommandContext(context.Background(), os.Args[0]), done: make(chan struct{})} // of a life of its own
	p.cmd.Env = append(os.Environ(), processVariable+"="+string(raw), "GOMAXPROCS=1")
	log, err := os.OpenFile(f.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer func() { _ = log.Close() }()
	p.cmd.Stderr = log
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f.note(lines.Text())
			if strings.HasPrefix(lines.Text(), "stop ") && !stay { // mostly its lease passes
				wake := time.Duration(float64(f.cfg.Times.Lease) * (0.5 + 2.5*rand.Float64()))
				time.AfterFunc(wake, func() { _ = p.cmd.Process.Signal(syscall.SIGCONT) })
			}
		}
		_ = p.cmd.Wait()
	}()
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
	_ = p.in.Close()
}

// fleet is a number of worker processes, of which each that ends is replaced.
type fleet struct {
	cfg  processConfig
	life time.Duration // about after so long a process is stopped gracefully; zero: never
	log  string
	ctx  context.Context //nolint:containedctx // ends the fleet
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	started int
	began   time.Time
	notes   []note
}

// note is what a process has told, such as "kill claimed", and when.
type note struct {
	after time.Duration
	what  string
}

func (n note) String() string { return fmt.Sprintf("%.1fs %s", n.after.Seconds(), n.what) }

func newFleet(t *testing.T, cfg processConfig) *fleet {
	t.Helper()
	f := &fleet{cfg: cfg, log: filepath.Join(t.TempDir(), "workers.log"), began: time.Now()}
	f.ctx, f.stop = context.WithCancel(context.Background())
	t.Cleanup(func() {
		f.end()
		t.Logf("%d processes; %v", f.started, f.notes)
		b, err := os.ReadFile(f.log)
		if os.IsNotExist(err) {
			return
		}
		require.NoError(t, err)
		const most = 8000
		if t.Failed() || bytes.Contains(b, []byte("DATA RACE")) || bytes.Contains(b, []byte("panic:")) {
			require.Failf(t, "what the workers said", "%s", b[max(0, len(b)-most):])
		}
	})
	return f
}

// run keeps n processes alive until the fleet ends.
func (f *fleet) run(t *testing.T, n int) *fleet {
	t.Helper()
	for range n {
		f.wg.Go(func() {
			for f.ctx.Err() == nil {
				f.runOne(t)
			}
		})
	}
	return f
}

// runOne lets a process live until it ends, however it does.
func (f *fleet) runOne(t *testing.T) {
	t.Helper()
	p := f.startProcess(t, false)
	defer p.kill()
	var end <-chan time.Time
	if f.life > 0 {
		end = time.After(f.life/3 + rand.N(f.life))
	}
	select {
	case <-p.done:
		return
	case <-f.ctx.Done():
		return
	case <-end:
	}
	f.note("graceful stop")
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-f.ctx.Done():
	case <-time.After(12 * time.Second): // it has been stopped in the midst of it
		f.note("late stop")
	}
}

// end kills what still runs.
func (f *fleet) end() {
	f.stop()
	f.wg.Wait()
}

func (f *fleet) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = append(f.notes, note{time.Since(f.began), what})
}

// noted counts what processes have told that begins so.
func (f *fleet) noted(prefix string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, note := range f.notes {
		if strings.HasPrefix(note.what, prefix) {
			n++
		}
	}
	return n
}
