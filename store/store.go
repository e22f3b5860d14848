// Package store is the only place with SQL: what enlace knows, and the statements that keep it true. A method is one
// statement or one transaction; those that belong to a transaction of the caller take its pgx.Tx. What a read does to a
// row is decided in store/rules, what a job does next in worker.
package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNotFound says that a row does not exist, or belongs to another tenant: callers can't tell which.
var ErrNotFound = errors.New("not found")

// idleInTransaction is when Postgres gives up the locks of a process that stands still inside a transaction.
const idleInTransaction = 10 * time.Second

// Store reads and writes enlace's tables. It is safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	sentence Sentence
	lease    time.Duration
}

// Sentence is what integration_sync_logs.error_message says to people of a run that ended so.
type Sentence func(provider string, end RunEnd) string

// Option changes a [Store].
type Option func(*Store)

// WithSentences makes error_message speak; without it, it holds code and detail.
func WithSentences(s Sentence) Option { return func(st *Store) { st.sentence = s } }

// WithLease sets how long a slice may act without renewing, and how long its job is given before it counts as lost,
// instead of [Lease]. All processes of a database must agree. Tests make it short.
func WithLease(d time.Duration) Option { return func(st *Store) { st.lease = d } }

// New returns a store on a pool made by [Open].
func New(pool *pgxpool.Pool, options ...Option) *Store {
	s := &Store{pool: pool, lease: Lease, sentence: func(_ string, end RunEnd) string {
		if end.Detail == "" {
			return end.Code
		}
		return end.Code + ": " + end.Detail
	}}
	for _, o := range options {
		o(s)
	}
	return s
}

// PoolOptions are the settings of [Open].
type PoolOptions struct {
	MaxConns int32
	// PollOnly is for a database behind a transaction pooler, where neither prepared statements nor startup parameters
	// survive.
	PollOnly bool
	Name     string // application_name
	Tracer   pgx.QueryTracer
}

// Open makes a pool and checks that the database answers.
func Open(ctx context.Context, url string, o PoolOptions) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("DATABASE_URL is not a Postgres address: it must look like postgres://user:password@host:5432/database")
	}
	if o.MaxConns > 0 {
		cfg.MaxConns = o.MaxConns
	}
	cfg.ConnConfig.Tracer = o.Tracer
	if o.PollOnly {
		// not QueryExecModeExec, which guesses parameter types from Go's and can't send a struct as jsonb
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	} else {
		cfg.ConnConfig.RuntimeParams["timezone"] = "UTC" // columns of the earlier system may have no zone
		cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(idleInTransaction.Milliseconds(), 10)
		if o.Name != "" {
			cfg.ConnConfig.RuntimeParams["application_name"] = o.Name
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach database: %w", err)
	}
	return pool, nil
}

// Tx runs fn in a transaction.
func (s *Store) Tx(ctx context.Context, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.pool, fn)
}

// Ping asks whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Now is the database's clock.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
	return now, err
}

// execer is a pool or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// all collects the rows of a query; what says what was being done.
func all[T any](ctx context.Context, q querier, what string, to pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	list, err := pgx.CollectRows(rows, to)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return list, nil
}

// single collects the one row of a query; [ErrNotFound] if there is none.
func single[T any](ctx context.Context, q querier, what string, to pgx.RowToFunc[T], sql string, args ...any) (v T, err error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return v, fmt.Errorf("%s: %w", what, err)
	}
	found, err := one(pgx.CollectExactlyOneRow(rows, to))
	if err != nil {
		return v, fmt.Errorf("%s: %w", what, err)
	}
	return found, nil
}

// one turns "no row" into [ErrNotFound].
func one[T any](v T, err error) (T, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return v, ErrNotFound
	}
	return v, err
}

// refused reports whether Postgres refuses the data itself, so that another try is in vain: a character that it can't
// store, a value beyond a limit.
func refused(err error) (*pgconn.PgError, bool) {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || len(pgErr.Code) < 2 {
		return nil, false
	}
	switch pgErr.Code[:2] {
	case "22", "54": // data exception, program limit
		return pgErr, true
	}
	return nil, false
}
