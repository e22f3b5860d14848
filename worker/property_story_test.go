//go:build unix

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"

	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
)

// story is a sequence that is being told: a database, a provider, workers that come and go, and the API's part.
type story struct {
	sequence

	dsn    string
	pool   *pgxpool.Pool
	store  *store.Store
	jobs   *jobs.Client
	vault  *vault.Vault
	list   []*providers.Provider
	log    zerolog.Logger
	box    *sandbox.Sandbox
	remote remote
	public string

	undo []func()

	tenant, id uuid.UUID
	alive      []*mortal
	started    int
	doom       place
	passes     int

	faults  []sandbox.Fault
	deleted map[string]json.RawMessage // what may come back
	removed int                        // since the beginning: never so many that a sweep doubts it
	bad     map[string]bool            // living records that nobody can read
}

// tell plays a sequence in a world of its own. The error is what has gone wrong.
func tell(t *testing.T, plan sequence) (err error) {
	t.Helper()
	s := &story{sequence: plan, tenant: uuid.New(), log: zerolog.Nop(), deleted: map[string]json.RawMessage{}, bad: map[string]bool{}}
	if os.Getenv("ENLACE_TEST_LOG") != "" {
		s.log = zerolog.New(zerolog.NewTestWriter(t)).With().Timestamp().Logger()
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	defer s.close()
	if err := s.open(ctx, t); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	for i, step := range s.steps {
		if err := s.tend(ctx); err != nil {
			return fmt.Errorf("before step %d: %w", i+1, err)
		}
		s.log.Info().Msgf("step %d: %v", i+1, step)
		if err := s.take(ctx, step); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	if err := s.settle(ctx); err != nil {
		return errors.Join(err, s.show(ctx))
	}
	return nil
}

// longest bounds a story on a machine that is busy with other things.
const longest = 8 * time.Minute

// open makes the world, with one worker.
func (s *story) open(ctx context.Context, t *testing.T) (err error) {
	t.Helper()
	s.dsn = storetest.URL(t)
	if err := installClock(ctx, s.dsn); err != nil {
		return err
	}
	if s.pool, err = store.Open(ctx, s.dsn, store.PoolOptions{MaxConns: 3, Name: rightClock + " test"}); err != nil {
		return err
	}
	s.undo = append(s.undo, s.pool.Close)
	if err := moveClock(ctx, s.pool, s.workers); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, watch); err != nil {
		return err
	}
	s.store = store.New(s.pool, store.WithLease(short().Lease))
	river, err := jobs.InsertOnly(riverpgxv5.New(s.pool), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	s.jobs = jobs.New(river, s.store)
	if err := s.openProvider(); err != nil { //nolint:contextcheck // the provider outlives the call
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	return s.startWorker(ctx)
}

// openProvider makes the provider, and what it notifies.
func (s *story) openProvider() (err error) {
	front := http.NewServeMux()
	front.Handle("POST /webhooks/{provider}", s.receiver())
	front.Handle("POST /webhooks/{provider}/{channel}", s.receiver())
	hooks := httptest.NewServer(front)
	s.public = hooks.URL
	s.box = sandbox.New(sandbox.Config{Contacts: s.contacts, Companies: 1, Seed: s.seed})
	s.box.Advance(s.workers + s.sequence.remote)
	server := httptest.NewServer(s.box.Handler())
	s.box.SetBaseURL(server.URL)
	s.undo = append(s.undo, hooks.Close, server.Close, server.CloseClientConnections, s.box.Close)

	if s.remote, err = newRemote(s.provider, s.box, server.URL, hooks.URL+"/webhooks/hubspot"); err != nil {
		return err
	}
	if err := s.remote.configure(func(c common) { *c.page = s.page }); err != nil {
		return err
	}
	s.list = s.remote.providers(&http.Client{})
	keys, err := vault.NewKeyring(key)
	if err != nil {
		return err
	}
	s.vault = vault.New(s.store, keys, s.list, vault.Options{Log: zerolog.Nop()})
	s.undo = append(s.undo, func() { _ = s.vault.Close(context.Background()) })
	return nil
}

// close takes the world down, the workers first.
func (s *story) close() {
	for _, m := range s.alive {
		_ = m.kill()
	}
	for i := range s.undo {
		s.undo[len(s.undo)-1-i]()
	}
}

// connect stores a grant, as the consent does.
func (s *story) connect(ctx context.Context) (err error) {
	s.id, _, err = s.vault.StoreGrant(ctx, vault.Connection{
		TenantID: s.tenant, Provider: s.provider, Identity: s.remote.identity(), Grant: s.remote.grant(),
	})
	return err
}

// startWorker starts a worker. Every other one has a right clock.
func (s *story) startWorker(ctx context.Context) error {
	name := fmt.Sprintf("wrong-%d", s.started)
	if s.started%2 == 1 {
		name = fmt.Sprintf("%s-%d", rightClock, s.started)
	}
	s.started++
	m, err := newMortal(ctx, s, name, s.doom, s.passes)
	s.doom = ""
	switch {
	case m != nil && m.line.isCut(): // on its way up
		return errors.Join(m.kill(), s.startWorker(ctx)) //nolint:contextcheck // the dead have no time limit
	case m != nil && err != nil:
		return errors.Join(err, m.kill()) //nolint:contextcheck // the same
	case err != nil:
		return err
	}
	s.alive = append(s.alive, m)
	return nil
}

// endWorker ends the oldest worker.
func (s *story) endWorker(ctx context.Context, end func(*mortal) error) error {
	if len(s.alive) == 0 {
		return nil
	}
	m := s.alive[0]
	s.alive = s.alive[1:]
	err := end(m)
	return errors.Join(err, s.hasten(ctx, m))
}

// hasten does at once what River does minutes after a worker's death: another one leads, and its rescuer takes up the rounds
// that the dead one was in the midst of.
func (s *story) hasten(ctx context.Context, m *mortal) error {
	if m.worker == nil {
		return nil
	}
	for _, sql := range []string{
		`DELETE FROM river.river_leader WHERE leader_id = $1`,
		`UPDATE river.river_job SET state = 'available' WHERE state = 'running' AND kind IN ('webhook_subscribe', 'token_refresh', 'retain') AND attempted_by[cardinality(attempted_by)] = $1`,
	} {
		if _, err := s.pool.Exec(ctx, sql, m.worker.Jobs().River().ID()); err != nil {
			return err
		}
	}
	return nil
}

// tend replaces workers that have died.
func (s *story) tend(ctx context.Context) error {
	for i := 0; i < len(s.alive); i++ {
		if !s.alive[i].line.isCut() {
			continue
		}
		s.alive[0], s.alive[i] = s.alive[i], s.alive[0]
		err := s.endWorker(ctx, (*mortal).kill)
		if err != nil {
			return err
		}
		if err := s.startWorker(ctx); err != nil {
			return err
		}
		i = -1
	}
	return nil
}

// records are the living ones, and their ids in order.
func (s *story) records() (map[string]json.RawMessage, []string, error) {
	all, err := s.remote.raw()
	return all, inOrder(all), err
}
