// Package storetest gives each test a database of its own: freshly migrated, River's tables included, on the one
// Postgres that the tests of all packages share. It leaves rows to the tests.
package storetest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // pgtestdb opens "pgx"
	"github.com/peterldowns/pgtestdb"
	"github.com/stretchr/testify/require"

	"example.com/enlace/migrations"
	"example.com/enlace/store"
	"example.com/enlace/store/postgres"
)

// server is the Postgres of all test binaries. Its hold is kept until this process ends: the server outlives its last
// user by a moment only.
type server struct {
	dsn     string
	release func()
}

var shared = sync.OnceValues(func() (s server, err error) {
	s.dsn, s.release, err = postgres.Shared(context.Background())
	return s, err
})

// ServerURL is the address of the shared server's maintenance database, for tests that make their own databases.
func ServerURL(tb testing.TB) string {
	tb.Helper()
	s, err := shared()
	require.NoError(tb, err, "tests need a Postgres: install one, or set ENLACE_TEST_DATABASE_URL")
	return s.dsn
}

// URL is the address of a new database, migrated to the newest version. It is dropped when the test has passed.
func URL(tb testing.TB) string {
	tb.Helper()
	return database(tb, migrator{})
}

// EmptyURL is the address of a new database without anything in it.
func EmptyURL(tb testing.TB) string {
	tb.Helper()
	return database(tb, pgtestdb.NoopMigrator{})
}

// Pool is a pool on a new, migrated database, opened as the product opens it.
func Pool(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	return Open(tb, URL(tb))
}

// Open opens a pool that is closed before the database is dropped.
func Open(tb testing.TB, dsn string) *pgxpool.Pool {
	tb.Helper()
	pool, err := store.Open(tb.Context(), dsn, store.PoolOptions{MaxConns: 10, Name: "test"})
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	return pool
}

func database(tb testing.TB, m pgtestdb.Migrator) string {
	tb.Helper()
	u, err := url.Parse(ServerURL(tb))
	require.NoError(tb, err)
	password, _ := u.User.Password()
	conf := pgtestdb.Custom(tb, pgtestdb.Config{
		DriverName: "pgx", Host: u.Hostname(), Port: u.Port(), User: u.User.Username(), Password: password,
		Database: strings.TrimPrefix(u.Path, "/"), Options: u.RawQuery, ForceTerminateConnections: true,
		TestRole: &pgtestdb.Role{Username: "enlace_test", Password: "enlace_test", Capabilities: "SUPERUSER"},
	}, m)
	return conf.URL()
}

// migrator brings the template database of all tests to the newest version.
type migrator struct{}

// Hash names the template: it changes with the SQL, with River's version and with the code that runs them.
func (migrator) Hash() (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "river %d\n", migrations.RiverVersion)
	err := fs.WalkDir(migrations.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(migrations.Files(), path)
		h.Write(b)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:16]), err
}

// Migrate applies the migrations to the template.
func (migrator) Migrate(ctx context.Context, _ *sql.DB, conf pgtestdb.Config) error {
	pool, err := pgxpool.New(ctx, conf.URL())
	if err != nil {
		return err
	}
	defer pool.Close()
	_, err = migrations.Up(ctx, pool)
	return err
}

// Soak reports whether the long tests were asked for (`make soak`).
func Soak() bool { return os.Getenv("ENLACE_SOAK") != "" }

// OpenIncident opens an incident of an integration.
func OpenIncident(tb testing.TB, s *store.Store, tenant, integration uuid.UUID, code string) {
	tb.Helper()
	require.NoError(tb, s.Tx(tb.Context(), func(tx pgx.Tx) error {
		_, err := s.OpenIncident(tb.Context(), tx, store.Locked{ID: integration, TenantID: tenant}, store.Trouble{Code: code})
		return err
	}))
}
