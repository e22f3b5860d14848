//go:build unix

package worker_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"

	"example.com/enlace/store"
	"example.com/enlace/store/vault"
	"example.com/enlace/worker"
)

// lifeline are the connections of a worker to the world. Once it is cut, nothing that the worker still does reaches
// anybody, as if its process had been killed: the database ends its transactions, a request under way stays with the
// provider, and neither learns why.
type lifeline struct {
	mu   sync.Mutex
	open map[net.Conn]bool
	gone chan struct{} // closed when it is cut
}

func newLifeline() *lifeline {
	return &lifeline{open: map[net.Conn]bool{}, gone: make(chan struct{})}
}

var errDead = errors.New("the process is dead")

// guard watches over the connections of a dialer.
func (l *lifeline) guard(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.isCut() {
			_ = conn.Close()
			return nil, errDead
		}
		l.open[conn] = true
		return &guarded{conn, l}, nil
	}
}

func (l *lifeline) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut() {
		return
	}
	close(l.gone)
	for conn := range l.open {
		_ = conn.Close()
	}
}

func (l *lifeline) isCut() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

type guarded struct {
	net.Conn

	line *lifeline
}

func (g *guarded) Close() error {
	g.line.mu.Lock()
	defer g.line.mu.Unlock()
	delete(g.line.open, g.Conn)
	return g.Conn.Close()
}

// mortal is a worker inside the test's process that can be killed.
type mortal struct {
	line   *lifeline
	pool   *pgxpool.Pool
	vault  *vault.Vault
	worker *worker.Worker
	client *http.Client

	mu     sync.Mutex
	doom   place // where it dies
	passes int   // after so many
}

// corpses are the killed workers of all sequences: what is left of them ends by itself.
var corpses sync.WaitGroup //nolint:gochecknoglobals // of the test binary

// newMortal starts a worker as cmd/enlace does.
func newMortal(ctx context.Context, s *story, name string, doom place, passes int) (*mortal, error) {
	m := &mortal{line: newLifeline(), doom: doom, passes: passes}
	cfg, err := pgxpool.ParseConfig(s.dsn)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 5
	cfg.ConnConfig.Tracer = &fate{out: io.Discard, seen: m.pass, idle: short().Idle}
	cfg.ConnConfig.DialFunc = m.line.guard((&net.Dialer{}).DialContext)
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["application_name"] = name
	if m.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: m.line.guard((&net.Dialer{}).DialContext), ResponseHeaderTimeout: 2 * time.Second}
	m.client = &http.Client{Transport: &fatefulTransport{transport, &fate{out: io.Discard, seen: m.pass}}}
	keys, err := vault.NewKeyring(key)
	if err != nil {
		return nil, err
	}
	st := store.New(m.pool, store.WithLease(short().Lease))
	list := s.remote.providers(m.client)
	m.vault = vault.New(st, keys, list, vault.Options{
		Transport: m.client.Transport, Log: zerolog.Nop(), Lease: 1200 * time.Millisecond, Wait: time.Second, Exchange: 2 * time.Second, Doubt: 100 * time.Millisecond,
		AskAgain: 50 * time.Millisecond, Rest: time.Millisecond, Echo: time.Millisecond, Poll: 20 * time.Millisecond, Request: 5 * time.Second,
	})
	spans := quick()
	spans.Slice, spans.Turn, spans.Renew, spans.Schedule = 150*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond, 400*time.Millisecond
	spans.Look, spans.Subscribe = 400*time.Millisecond, 400*time.Millisecond
	spans.Settle, spans.Backoff, spans.Blocked, spans.Check = 30*time.Millisecond, 10*time.Millisecond, 300*time.Millisecond, time.Second
	spans.Probe = 200 * time.Millisecond
	m.worker, err = worker.New(worker.Options{
		Driver: riverpgxv5.New(m.pool), Store: st, Vault: m.vault, Providers: list, Log: s.log, Workers: 2, Spans: spans, PublicURL: s.public,
	})
	if err != nil {
		return nil, err
	}
	if err := m.worker.Start(ctx); err != nil {
		m.worker = nil
		return m, err
	}
	return m, nil
}

// pass ends the worker at the place of its doom.
func (m *mortal) pass(p place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p != m.doom {
		return
	}
	if m.passes--; m.passes <= 0 {
		m.line.cut()
	}
}

// kill ends it at once. What is left of it ends later; the error is always nil.
func (m *mortal) kill() error {
	m.line.cut()
	corpses.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = m.end(ctx)
	})
	return nil
}

// stop lets it finish its pages, unless it dies on the way.
func (m *mortal) stop() error {
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	corpses.Go(func() {
		defer cancel()
		ended <- m.end(ctx)
	})
	select {
	case err := <-ended:
		if m.line.isCut() {
			return nil
		}
		return err
	case <-m.line.gone:
		cancel()
		return nil
	}
}

func (m *mortal) end(ctx context.Context) (err error) {
	if m.worker != nil {
		err = m.worker.Stop(ctx)
	}
	err = errors.Join(err, m.vault.Close(ctx))
	m.pool.Close()
	return err
}
