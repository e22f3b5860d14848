package bench

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"example.com/enlace/migrations"
	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/store"
	"example.com/enlace/store/postgres"
	"example.com/enlace/store/vault"
	"example.com/enlace/worker"
)

// contacts is how many a whole sync reads; ENLACE_BENCH_CONTACTS changes it.
func contacts(b *testing.B) int {
	b.Helper()
	n, err := strconv.Atoi(os.Getenv("ENLACE_BENCH_CONTACTS"))
	if err != nil {
		return 100_000
	}
	return n
}

// database starts a Postgres that waits for the disk, as one in production does.
func database(b *testing.B) *pgxpool.Pool {
	b.Helper()
	server, err := postgres.Start(b.Context(), postgres.Options{
		DataDir: tempDir(b), Log: zerolog.Nop(), Settings: map[string]string{"shared_buffers": "512MB", "max_wal_size": "4GB"},
	})
	require.NoError(b, err)
	b.Cleanup(func() { _ = server.Stop(context.Background()) })
	pool, err := store.Open(b.Context(), server.URL(), store.PoolOptions{MaxConns: 16})
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	_, err = migrations.Up(b.Context(), pool)
	require.NoError(b, err)
	return pool
}

// tempDir is a folder that the server's own account may enter.
func tempDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "enlace-bench-")
	require.NoError(b, err)
	require.NoError(b, os.Chmod(dir, 0o755)) // the server's account, not ours, must enter it
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// engine is enlace's worker on a fake.
type engine struct {
	store  *store.Store
	worker *worker.Worker
	id     uuid.UUID
}

func newEngine(b *testing.B, pool *pgxpool.Pool, f *fake) *engine {
	b.Helper()
	list := []*providers.Provider{pipedrive.New(pipedrive.Config{ClientID: "id", ClientSecret: "secret", AuthBaseURL: f.URL, APIBaseURL: f.URL})}
	keys, err := vault.NewKeyring(strings.Repeat("0a", 32))
	require.NoError(b, err)
	e := &engine{store: store.New(pool)}
	v := vault.New(e.store, keys, list, vault.Options{Log: zerolog.Nop()})
	e.id, _, err = v.StoreGrant(b.Context(), vault.Connection{
		TenantID: uuid.New(), Provider: "pipedrive", Identity: providers.Identity{ExternalID: "1:1"},
		Grant: providers.Grant{AccessToken: "token", RefreshToken: "refresh", ExpiresAt: time.Now().Add(time.Hour), APIDomain: f.URL},
	})
	require.NoError(b, err)
	e.worker, err = worker.New(worker.Options{Driver: riverpgxv5.New(pool), Store: e.store, Vault: v, Providers: list, Log: zerolog.Nop()})
	require.NoError(b, err)
	require.NoError(b, e.worker.Start(b.Context()))
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = e.worker.Stop(ctx)
	})
	return e
}

// sync runs a full sync to its end.
func (e *engine) sync(b *testing.B) store.Run {
	b.Helper()
	run, err := e.worker.Jobs().EnqueueSync(b.Context(), nil, e.id, store.NewRun{SyncType: store.Full, RequestedBy: "bench"})
	require.NoError(b, err)
	require.Eventually(b, func() bool {
		run, err = e.store.Run(b.Context(), nil, run.ID)
		require.NoError(b, err)
		return !run.Active()
	}, 10*time.Minute, 2*time.Millisecond)
	require.Equal(b, store.Completed, run.Status, "%+v", run)
	return run
}

// BenchmarkFullSync syncs everything three times, first into an empty table, then unchanged, then with a tenth changed,
// and reports each beside the floor of the same pages.
func BenchmarkFullSync(b *testing.B) {
	n := contacts(b)
	pool := database(b)
	versions := []*fake{newFake(b, n, 0, 0), newFake(b, n, 0, 0), newFake(b, n, 1, 0)}
	for b.Loop() {
		_, err := pool.Exec(b.Context(), floorTables+`TRUNCATE integrations, integration_sync_logs, contacts, sync_run_pages, confirming_reads, sync_failures, incidents`)
		require.NoError(b, err)
		e := newEngine(b, pool, versions[0])
		for i, phase := range []string{"cold", "unchanged", "changed10"} {
			floor := timed(b, pool, func() { require.Equal(b, n, floorSync(b.Context(), b, pool, versions[i], e.id)) })
			e.serve(b, pool, versions[i])
			ours := timed(b, pool, func() { require.EqualValues(b, n, e.sync(b).RecordsSeen) })
			b.ReportMetric(ours.rate(n), phase+"_rows/s")
			b.ReportMetric(ours.rate(n)/floor.rate(n), phase+"_of_floor")
			b.ReportMetric(float64(ours.wal)/float64(n), phase+"_wal_B/row")
			fmt.Printf("%-10s floor %8.0f rows/s  enlace %8.0f rows/s  ratio %.2f  WAL %5.0f B/row (floor %5.0f)\n",
				phase, floor.rate(n), ours.rate(n), ours.rate(n)/floor.rate(n), float64(ours.wal)/float64(n), float64(floor.wal)/float64(n))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(peakMemory(b))/1e6, "peak_MB")
}

// serve moves the account to another fake.
func (e *engine) serve(b *testing.B, pool *pgxpool.Pool, f *fake) {
	b.Helper()
	_, err := pool.Exec(b.Context(), `UPDATE integrations SET api_domain = $2 WHERE id = $1`, e.id, f.URL)
	require.NoError(b, err)
}

type measure struct {
	took time.Duration
	wal  int64
}

func (m measure) rate(n int) float64 { return float64(n) / m.took.Seconds() }

// timed measures time and WAL, from a checkpoint on.
func timed(b *testing.B, pool *pgxpool.Pool, do func()) (m measure) {
	b.Helper()
	const lsn = `SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`
	var before, after int64
	_, err := pool.Exec(b.Context(), `CHECKPOINT`)
	require.NoError(b, err)
	require.NoError(b, pool.QueryRow(b.Context(), lsn).Scan(&before))
	began := time.Now()
	do()
	m.took = time.Since(began)
	require.NoError(b, pool.QueryRow(b.Context(), lsn).Scan(&after))
	m.wal = after - before
	return m
}

// peakMemory is the largest resident size that this process had, in bytes; 0 where the system doesn't say.
func peakMemory(b *testing.B) (peak int64) {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &peak); err == nil {
			return peak * 1024
		}
	}
	return 0
}
