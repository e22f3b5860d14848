package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/tracelog"
	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// newLogger writes JSON, or for a person at a terminal, lines.
func newLogger(w io.Writer, level logLevel) zerolog.Logger {
	if isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	return zerolog.New(zerolog.SyncWriter(w)).Level(zerolog.Level(level)).With().Timestamp().Logger()
}

// isTerminal reports whether a person is at the other end of a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// queueLog is River's log in ours: warnings and errors, less the two that say what we do on purpose.
func queueLog(log zerolog.Logger) *slog.Logger {
	return slog.New(&quiet{Handler: zerolog.NewSlogHandler(log)})
}

// quiet leaves out what is no news: a job that a cancel reached, which the run says better, and a transaction that stood
// still so long that Postgres ended it, whose work another process does.
type quiet struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (q *quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasSuffix(r.Message, ": job cancelled remotely") {
		return nil
	}
	ended := false
	r.Attrs(func(a slog.Attr) bool {
		ended = strings.Contains(a.Value.String(), "idle-in-transaction timeout") // SQLSTATE 25P03
		return !ended
	})
	if ended {
		return nil
	}
	r.Time = time.Time{} // the logger writes one itself
	return q.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (q *quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &quiet{Handler: q.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (q *quiet) WithGroup(name string) slog.Handler {
	return &quiet{Handler: q.Handler.WithGroup(name)}
}

// databaseLog is pgx's log in ours. A failed statement is its caller's to report: it shows at debug. Values are never
// logged, as they may be secrets or people's data.
func databaseLog(log zerolog.Logger) pgx.QueryTracer {
	return &tracelog.TraceLog{LogLevel: tracelog.LogLevelError, Logger: tracelog.LoggerFunc(
		func(_ context.Context, _ tracelog.LogLevel, msg string, data map[string]any) {
			event := log.Debug()
			if msg == "Connect" {
				event = log.Warn()
			}
			if err, ok := data["err"].(error); ok {
				event = event.Err(err)
			}
			if sql, ok := data["sql"].(string); ok {
				event = event.Str("sql", strings.Join(strings.Fields(sql), " "))
			}
			event.Msg("database: " + strings.ToLower(msg))
		},
	)}
}
