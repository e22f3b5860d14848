// Package migrations brings a database to the schema that this binary needs: first enlace's own tables, then River's, in
// their own schema, under one lock. It only ever moves forward, and does nothing where nothing is to be done.
package migrations

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// RiverSchema is the Postgres schema of River's tables: not public, which Supabase serves to browsers.
const RiverSchema = "river"

// RiverVersion is the River migration that this binary was built with.
const RiverVersion = 8

// lockKey names the advisory lock under which migrations run; any constant of our own would do.
const lockKey = 0x656e6c61636500

//go:embed *.sql
var files embed.FS

// Files is the SQL, for tests.
func Files() fs.FS { return files }

// Result says what a run of the migrations did.
type Result struct {
	Applied      int   // migrations applied now, River's included
	Version      int64 // enlace's schema version
	RiverVersion int
}

// Up applies what is missing. The pool must reach Postgres directly, not through a transaction pooler: the lock belongs
// to a session. Concurrent calls wait for each other.
func Up(ctx context.Context, pool *pgxpool.Pool) (Result, error) {
	return UpTo(ctx, pool, 0)
}

// UpTo is [Up] to one of enlace's versions, 0 being the newest; River's tables are then always brought up.
func UpTo(ctx context.Context, pool *pgxpool.Pool, version int64) (res Result, err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return res, fmt.Errorf("migrate: connect: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(lockKey)); err != nil {
		return res, fmt.Errorf("migrate: lock: %w", err)
	}
	defer func() {
		_, unlockErr := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(lockKey))
		err = errors.Join(err, unlockErr)
	}()

	for _, schema := range []string{"enlace", RiverSchema} { // goose keeps its table in the first
		if _, err := conn.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+pgx.Identifier{schema}.Sanitize()); err != nil {
			return res, fmt.Errorf("migrate: create schema %s: %w", schema, err)
		}
	}
	provider, err := newProvider(pool)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, provider.Close()) }()
	var applied []*goose.MigrationResult
	if version == 0 {
		applied, err = provider.Up(ctx)
	} else {
		applied, err = provider.UpTo(ctx, version)
	}
	if err != nil {
		return res, fmt.Errorf("migrate: %w", err)
	}
	if res.Version, err = provider.GetDBVersion(ctx); err != nil {
		return res, fmt.Errorf("migrate: read version: %w", err)
	}
	res.Applied = len(applied)

	migrator, err := newRiver(pool)
	if err != nil {
		return res, err
	}
	moved, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: RiverVersion})
	if err != nil {
		return res, fmt.Errorf("migrate River: %w", err)
	}
	res.Applied += len(moved.Versions)
	res.RiverVersion = RiverVersion

	// PostgREST keeps the schema in memory; this tells it, and nobody else listens.
	if _, err := conn.Exec(ctx, `NOTIFY pgrst, 'reload schema'`); err != nil {
		return res, fmt.Errorf("migrate: notify: %w", err)
	}
	return res, nil
}

// Check reports an error that says what to do unless the database has the schema that this binary needs.
func Check(ctx context.Context, pool *pgxpool.Pool) (err error) {
	provider, err := newProvider(pool)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.Close()) }()
	var ours bool
	if err := pool.QueryRow(ctx, `SELECT to_regclass('enlace.schema_migrations') IS NOT NULL`).Scan(&ours); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if !ours {
		return errors.New("the database has not been prepared: run `enlace migrate`")
	}
	pending, err := provider.HasPending(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	migrator, err := newRiver(pool)
	if err != nil {
		return err
	}
	river, err := migrator.Validate(ctx, &rivermigrate.ValidateOpts{TargetVersion: RiverVersion})
	if err != nil {
		return fmt.Errorf("read River's schema version: %w", err)
	}
	if pending || !river.OK {
		return errors.New("the database's schema is older than this program: run `enlace migrate`")
	}
	return nil
}

func newProvider(pool *pgxpool.Pool) (*goose.Provider, error) {
	provider, err := goose.NewProvider(goose.DialectPostgres, stdlib.OpenDBFromPool(pool), files,
		goose.WithTableName("enlace.schema_migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

func newRiver(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: RiverSchema})
	if err != nil {
		return nil, fmt.Errorf("read River's migrations: %w", err)
	}
	return migrator, nil
}
