//go:build unix

package worker_test

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// clockwork gives a database a clock that a test moves: functions of the same names come first in the search path, and
// defaults use them. To the database, workers then have wrong clocks. Those whose name begins so have a right one: what
// River writes by it of a job that waits is put right.
const clockwork = `
CREATE SCHEMA clockwork;
CREATE TABLE clockwork.skew (ahead interval NOT NULL);
INSERT INTO clockwork.skew VALUES ('0');
CREATE FUNCTION clockwork.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT pg_catalog.now() + ahead FROM clockwork.skew';
CREATE FUNCTION clockwork.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() + ahead FROM clockwork.skew';
DO $$
DECLARE d record;
BEGIN
    FOR d IN SELECT a.attrelid::regclass AS rel, a.attname AS col, lower(pg_get_expr(f.adbin, f.adrelid)) AS expr
        FROM pg_attrdef f JOIN pg_attribute a ON (a.attrelid, a.attnum) = (f.adrelid, f.adnum)
        WHERE pg_get_expr(f.adbin, f.adrelid) ~* '^(now\(\)|clock_timestamp\(\)|current_timestamp)$'
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT clockwork.%s', d.rel, d.col, replace(d.expr, 'current_timestamp', 'now()'));
    END LOOP;
    EXECUTE format('ALTER DATABASE %I SET search_path = clockwork, pg_catalog, public', current_database());
END $$;
CREATE FUNCTION clockwork.correct() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'running' AND NEW.state IN ('available', 'scheduled', 'retryable') AND current_setting('application_name') LIKE 'right%' THEN
        NEW.scheduled_at := NEW.scheduled_at + (SELECT ahead FROM clockwork.skew);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER correct BEFORE UPDATE ON river.river_job FOR EACH ROW EXECUTE FUNCTION clockwork.correct();`

// rightClock begins the names of workers whose clock is the database's.
const rightClock = "right"

// installClock must come before the connections that are to see it.
func installClock(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, clockwork)
	_ = conn.Close(ctx)
	return err
}

// moveClock sets the database's clock on, or back.
func moveClock(ctx context.Context, db interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}, d time.Duration,
) error {
	_, err := db.Exec(ctx, `UPDATE clockwork.skew SET ahead = ahead + $1::interval`, d)
	return err
}
