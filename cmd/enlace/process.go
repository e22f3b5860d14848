package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"example.com/enlace/api"
	"example.com/enlace/dashboard"
	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
	"example.com/enlace/worker"
)

const (
	// stopLimit bounds a graceful stop, whatever is under way.
	stopLimit = 10 * time.Second

	startLimit  = 30 * time.Second // of what is asked before a process serves
	headerLimit = 10 * time.Second // of a request's headers
	idleLimit   = 2 * time.Minute  // of a connection between requests
	maxHeader   = 64 << 10         // bytes of a request's headers
)

// process is what every running enlace is made of. Its fields are set in the order in which they are needed, and ended
// in the reverse one.
type process struct {
	cfg  *config
	log  zerolog.Logger
	list []*providers.Provider

	pool   *pgxpool.Pool
	store  *store.Store
	vault  *vault.Vault
	worker *worker.Worker // nil: this process works on nothing
	api    *api.Server    // nil: this process has no API
	server *http.Server   // nil: not serving yet
	failed chan error     // why it can't go on
}

// open connects to the database, which must have been migrated, and makes the vault.
func open(ctx context.Context, cfg *config, log zerolog.Logger, role string) (*process, error) {
	p := &process{cfg: cfg, log: log, list: providerList(cfg), failed: make(chan error, 1)}
	if err := p.connect(ctx, role); err != nil {
		p.close(ctx, stopLimit)
		return nil, err
	}
	return p, nil
}

func (p *process) connect(ctx context.Context, role string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var err error
	p.pool, err = openPool(ctx, p.cfg.DatabaseURL, p.cfg, p.log, role)
	if err != nil {
		return err
	}
	if err := checkSchema(ctx, p.pool); err != nil {
		return err
	}
	p.store = store.New(p.pool, store.WithSentences(sentence(p.list)))
	p.vault, err = newVault(p.cfg, p.store, p.list, p.log)
	return err
}

func newVault(cfg *config, s *store.Store, list []*providers.Provider, log zerolog.Logger) (*vault.Vault, error) {
	keys, err := vault.NewKeyring(cfg.EncryptionKey.reveal(), cfg.oldKeys()...)
	if err != nil {
		return nil, usagef("ENCRYPTION_KEY or ENCRYPTION_KEYS_OLD: %s", oneLine(err))
	}
	return vault.New(s, keys, list, vault.Options{Log: log}), nil
}

// openPool opens a pool that is large enough for what a process does at once.
func openPool(ctx context.Context, url databaseURL, cfg *config, log zerolog.Logger, role string) (*pgxpool.Pool, error) {
	const besides = 12 // River's own, requests, the vault, the look for strays
	return store.Open(ctx, url.reveal(), store.PoolOptions{
		MaxConns: int32(2*cfg.Workers) + besides, //nolint:gosec // at most 1000
		PollOnly: cfg.DatabasePollOnly,
		Name:     "enlace " + role,
		Tracer:   databaseLog(log),
	})
}

// work starts the workers.
func (p *process) work(ctx context.Context) error {
	w, err := worker.New(worker.Options{
		Driver: riverpgxv5.New(p.pool), Store: p.store, Vault: p.vault, Providers: p.list,
		Log: p.log, QueueLog: queueLog(p.log),
		Workers: int(p.cfg.Workers), PollOnly: p.cfg.DatabasePollOnly, Region: string(p.cfg.PhoneRegion),
		PublicURL: strings.TrimRight(string(p.cfg.PublicURL), "/"),
	})
	if err != nil {
		return fmt.Errorf("make the workers: %w", err)
	}
	if err := w.Start(ctx); err != nil {
		return fmt.Errorf("start the workers: %w", err)
	}
	p.worker = w
	return nil
}

// queue is what requests enqueue with: the workers' own client, or where there are none, one that only inserts.
func (p *process) queue() (*jobs.Client, error) {
	if p.worker != nil {
		return p.worker.Jobs(), nil
	}
	client, err := jobs.InsertOnly(riverpgxv5.New(p.pool), queueLog(p.log))
	if err != nil {
		return nil, err
	}
	return jobs.New(client, p.store), nil
}

// answer makes the API; more says what is different in dev.
func (p *process) answer(ctx context.Context, more func(*api.Options)) error {
	queue, err := p.queue()
	if err != nil {
		return err
	}
	o := api.Options{
		Store: p.store, Jobs: queue, Vault: p.vault, Providers: p.list, Known: adapterNames(), Log: p.log,
		PublicURL: string(p.cfg.PublicURL), DashboardURL: string(p.cfg.DashboardURL), AllowedOrigins: p.cfg.origins(),
		AdminKey:         p.cfg.AdminKey.reveal(),
		JWT:              p.cfg.jwt(),
		AllowBareConnect: p.cfg.ConnectAllowBare,
	}
	if more != nil {
		more(&o)
	}
	if o.Dashboard, err = dashboard.Files(dashboard.Options{Demo: o.Dev, Providers: p.list}); err != nil {
		return fmt.Errorf("make the dashboard: %w", err)
	}
	server, err := api.New(o)
	if err != nil {
		return fmt.Errorf("make the API: %w", err)
	}
	if err := server.Start(ctx); err != nil {
		return fmt.Errorf("start the API: %w", err)
	}
	p.api = server
	return nil
}

// serve answers on the listener until the process is stopped: with the API, or without one, with its health.
func (p *process) serve(listener net.Listener) {
	handler := healthHandler(p.store.Ping)
	if p.api != nil {
		handler = p.api.Handler()
	}
	p.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: headerLimit, IdleTimeout: idleLimit, MaxHeaderBytes: maxHeader,
	}
	go func() {
		if err := p.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			p.failed <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
		}
	}()
}

// wait returns when the process is asked to stop (nil) or can't go on.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-p.failed:
		return err
	}
}

// close ends the process in good order: no new request or job, what runs may finish, then the vault's exchanges, then
// the pool. It takes no longer than limit: six tenths of it are for requests and running pages, two more for exchanges with
// token hosts. What had not finished is lost to nobody: the next process takes over.
func (p *process) close(ctx context.Context, limit time.Duration) {
	exchanges, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit/10*8)
	defer cancel()
	work, cancel := context.WithTimeout(exchanges, limit/10*6)
	defer cancel()
	var stopping errgroup.Group
	stopping.Go(func() error { return p.stopServing(work) })
	if p.worker != nil {
		stopping.Go(func() error { return p.worker.Stop(work) })
	}
	if err := stopping.Wait(); err != nil {
		p.log.Warn().Err(err).Msg("not everything had finished when the time to stop was over; it is taken up again by the next process")
	}
	if p.vault != nil {
		if err := p.vault.Close(exchanges); err != nil {
			p.log.Warn().Err(err).Msg("a token host had not answered when the time to stop was over")
		}
	}
	if p.pool != nil {
		closeWithin(limit/10, p.pool.Close)
	}
}

// stopServing ends the event streams, whose readers connect elsewhere, and lets other requests finish.
func (p *process) stopServing(ctx context.Context) error {
	if p.api != nil {
		p.api.Close()
	}
	if p.server == nil {
		return nil
	}
	if err := p.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("finish requests: %w", err), p.server.Close())
	}
	return nil
}

// closeWithin calls end and waits for it no longer than so long.
func closeWithin(limit time.Duration, end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		end()
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

// listen takes the address. Somebody else's port is a matter of configuration: the error says what to do, and setting
// names where.
func listen(ctx context.Context, addr, setting string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, usagef("%s is in use: stop the program that listens there, or choose another port with %s", addr, setting)
	case err != nil:
		return nil, usagef("%s can't be listened on (%s): choose another address with %s", addr, reason(err), setting)
	}
	return listener, nil
}

// reason is the innermost cause of an error of the network, without the address that the message names already.
func reason(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
