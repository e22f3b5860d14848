package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

func TestQueueLogLeavesOutWhatIsNoNews(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		log  func(context.Context, *slog.Logger)
		want string
	}{
		"a job that ended as usual": {func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "jobexecutor.JobExecutor: job errored") }, ""},
		"a job that was cancelled": {func(ctx context.Context, l *slog.Logger) {
			l.WarnContext(ctx, "jobexecutor.JobExecutor: job cancelled remotely", "job_id", 7)
		}, ""},
		"a transaction that stood still": {func(ctx context.Context, l *slog.Logger) {
			l.ErrorContext(ctx, "producer: Error fetching jobs", "err", "FATAL: terminating connection due to idle-in-transaction timeout (SQLSTATE 25P03)")
		}, ""},
		"a job that is stuck": {func(ctx context.Context, l *slog.Logger) {
			l.WarnContext(ctx, "jobexecutor.JobExecutor: Job appears to be stuck", "job_id", 7)
		}, `{"level":"warn","job_id":7,"message":"jobexecutor.JobExecutor: Job appears to be stuck"}`},
		"with what the part is": {func(ctx context.Context, l *slog.Logger) {
			l.With("part", "river").ErrorContext(ctx, "no")
		}, `{"level":"error","part":"river","message":"no"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var out bytes.Buffer
			tt.log(t.Context(), queueLog(zerolog.New(&out)))
			require.Equal(t, tt.want, strings.TrimSpace(out.String()))
		})
	}
}

func TestDatabaseLogHasNoValues(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	pool, err := store.Open(t.Context(), storetest.URL(t), store.PoolOptions{MaxConns: 2, Tracer: databaseLog(zerolog.New(&out))})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), "SELECT $1::text,\n  nothing", "geheim")
	require.Error(t, err)
	require.Contains(t, out.String(), `"sql":"SELECT $1::text, nothing"`)
	require.Contains(t, out.String(), `"level":"debug"`)
	require.NotContains(t, out.String(), "geheim")
}

func TestLogIsJSONWhereNoPersonLooks(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	log := newLogger(&out, logLevel(zerolog.WarnLevel))
	log.Info().Msg("quiet")
	log.Warn().Err(errors.New("why")).Msg("loud")
	require.Regexp(t, `^\{"level":"warn","error":"why","time":"[^"]+","message":"loud"\}\n$`, out.String())
}
