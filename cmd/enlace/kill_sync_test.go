//go:build unix

package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store/postgres"
	"example.com/enlace/store/storetest"
)

const (
	killedContacts = 20_000
	goesOnLimit    = 30 * time.Second // what people are promised after a kill
)

// killed is a full sync that things happen to.
type killed struct {
	*install

	postgres *postgres.Server
	dir      string
	front    *member // the API
	workers  []*member
	run      string
	total    int // pages
	done     int // pages, when last looked at
}

// watchPages notes which process wrote each page, under which fence, and each write of contacts.
const watchPages = `
CREATE TABLE claims (fence bigint, who text);
CREATE TABLE page_log (page int, fence bigint, who text, tx bigint, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE contact_log (n bigint, tx bigint);
CREATE FUNCTION watch_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.fence <> OLD.fence THEN
        INSERT INTO claims VALUES (NEW.fence, current_setting('enlace.process'));
    END IF;
    IF NEW.pages <> OLD.pages THEN
        INSERT INTO page_log VALUES ((NEW.checkpoint->>'page')::int, NEW.fence, current_setting('enlace.process'), txid_current());
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION watch_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO contact_log SELECT count(*), txid_current() FROM written;
    RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER UPDATE ON integration_sync_logs FOR EACH ROW EXECUTE FUNCTION watch_run();
CREATE TRIGGER watch_inserts AFTER INSERT ON contacts REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION watch_contacts();
CREATE TRIGGER watch_updates AFTER UPDATE ON contacts REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION watch_contacts();`

// TestKillsDuringAFullSync kills the API and the workers of an install at random moments of one full sync, stops a worker
// for longer than its lease, and restarts Postgres. Work goes on each time; in the end everything is there once.
func TestKillsDuringAFullSync(t *testing.T) {
	t.Parallel()

	kills, pageSize := 5, 100
	if storetest.Soak() {
		kills, pageSize = 25, 30
	}
	k := newKilled(t, pageSize)
	var slowest time.Duration
	happens := func(what string, event func()) {
		k.waitPages(t, 1+rand.IntN(8), goesOnLimit) // a random moment of the work
		<-time.After(rand.N(200 * time.Millisecond))
		require.Less(t, k.look(t), k.total, "the sync lasts long enough")
		began := time.Now()
		event()
		k.look(t)
		k.waitPages(t, 1, goesOnLimit-time.Since(began))
		took := time.Since(began)
		slowest = max(slowest, took)
		t.Logf("%s: at page %d of %d, work went on after %.1f s", what, k.done, k.total, took.Seconds())
	}

	for range kills / 2 {
		k.killOne(t, happens)
	}
	k.stopOne(t, happens)
	for range kills - kills/2 {
		k.killOne(t, happens)
	}
	happens("Postgres restarted", func() { k.restartPostgres(t) })
	t.Logf("the longest standstill was %.1f s", slowest.Seconds())

	k.requireWhole(t)
}

func newKilled(t *testing.T, pageSize int) *killed {
	t.Helper()
	k := &killed{dir: openDir(t), total: (killedContacts + pageSize - 1) / pageSize}
	k.startPostgres(t, 0)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		require.NoError(t, k.postgres.Stop(ctx))
	})
	k.install = newInstall(t, k.postgres.URL(), killedContacts)
	require.NoError(t, k.fake.Configure(func(s *sandbox.PipedriveSettings) { s.PageLimit, s.LatencyMS = pageSize, 100 }))
	_, err := k.pool.Exec(t.Context(), watchPages)
	require.NoError(t, err)

	k.front = &member{command: "api", name: "api", addr: k.api}
	k.workers = []*member{{command: "worker", name: "one", addr: freeAddr(t)}, {command: "worker", name: "two", addr: freeAddr(t)}}
	for _, m := range append(k.workers, k.front) {
		k.start(t, m)
	}
	k.connect(t)
	var run struct {
		ID string `json:"id"`
	}
	k.ask(t, http.MethodPost, "/v1/integrations/"+k.account+"/syncs", `{"sync_type": "full"}`, http.StatusAccepted, &run)
	k.run = run.ID
	return k
}

func (k *killed) startPostgres(t *testing.T, port int) {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Options{DataDir: k.dir, Port: port})
	require.NoError(t, err)
	k.postgres = server
}

// restartPostgres lets every connection of every process end.
func (k *killed) restartPostgres(t *testing.T) {
	t.Helper()
	port := k.postgres.Port()
	require.NoError(t, k.postgres.Stop(t.Context()))
	k.startPostgres(t, port)
	k.pool.Reset()
}

// look returns how many pages are done.
func (k *killed) look(t *testing.T) int {
	t.Helper()
	k.done = k.count(t, `SELECT pages FROM integration_sync_logs WHERE id = $1`, k.run)
	return k.done
}

// waitPages waits for so many more pages, or the last.
func (k *killed) waitPages(t *testing.T, more int, limit time.Duration) {
	t.Helper()
	want := min(k.done+more, k.total)
	end := time.After(limit)
	for k.look(t) < want {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-end:
			require.Failf(t, "no page came in time", "%d of %d", k.done, k.total)
		}
	}
}

// atWork is the worker that wrote the last page, and the other one.
func (k *killed) atWork(t *testing.T) (at, other *member) {
	t.Helper()
	var name string
	require.NoError(t, k.pool.QueryRow(t.Context(), `SELECT who FROM page_log ORDER BY at DESC LIMIT 1`).Scan(&name))
	if k.workers[0].name == name {
		return k.workers[0], k.workers[1]
	}
	return k.workers[1], k.workers[0]
}

// killOne kills a process, mostly the one at work, and starts it again, as whoever runs it would.
func (k *killed) killOne(t *testing.T, happens func(string, func())) {
	t.Helper()
	happens("a process killed", func() {
		at, other := k.atWork(t)
		victim := []*member{at, at, at, other, k.front}[rand.IntN(5)]
		victim.kill(t)
		k.start(t, victim)
	})
}

// stopOne stops the worker that is at work until another has taken over, and wakes it.
func (k *killed) stopOne(t *testing.T, happens func(string, func())) {
	t.Helper()
	var stopped *member
	happens("the worker at work stopped", func() {
		stopped, _ = k.atWork(t)
		require.NoError(t, stopped.cmd.Process.Signal(syscall.SIGSTOP))
		k.drain(t)
	})
	happens("it woke", func() { require.NoError(t, stopped.cmd.Process.Signal(syscall.SIGCONT)) })
}

// drain waits until Postgres has no commit of a stopped worker under way.
func (k *killed) drain(t *testing.T) {
	t.Helper()
	for {
		before := k.look(t)
		<-time.After(500 * time.Millisecond)
		if k.look(t) == before {
			return
		}
	}
}

// requireWhole waits for the run's end and checks that each page was written once, by whoever had the run.
func (k *killed) requireWhole(t *testing.T) {
	t.Helper()
	end := time.After(commandLimit)
	for status := ""; status != "completed"; {
		var run map[string]any
		k.ask(t, http.MethodGet, "/v1/syncs/"+k.run, "", http.StatusOK, &run)
		status, _ = run["status"].(string)
		require.NotEqual(t, "failed", status, run)
		select {
		case <-time.After(100 * time.Millisecond):
		case <-end:
			require.Fail(t, "it never completed", run)
		}
	}
	run := k.readRun(t)
	require.Equal(t, "finished", run.outcome)
	require.Equal(t, k.total, run.pages)
	require.Equal(t, killedContacts, run.seen)
	require.Equal(t, run.seen, run.created+run.updated+run.unchanged+run.failed)
	require.Equal(t, run.seen-run.failed, run.synced)
	require.Equal(t, killedContacts, run.created, "an empty table: nothing is met twice")
	require.Zero(t, run.deleted)
	require.GreaterOrEqual(t, run.calls, run.pages)
	k.requireSameContacts(t)

	require.Equal(t, k.total, k.count(t, `SELECT count(DISTINCT page) FROM page_log`))
	require.Equal(t, k.total, k.count(t, `SELECT count(*) FROM page_log`), "no page twice")
	require.Equal(t, killedContacts, k.count(t, `SELECT sum(n) FROM contact_log`), "no contact was written twice")
	require.Zero(t, k.count(t, `SELECT count(*) FROM contact_log c WHERE NOT EXISTS (SELECT FROM page_log p WHERE p.tx = c.tx)`), "nothing was written without its page")
	require.Zero(t, k.count(t, `SELECT count(*) FROM page_log p LEFT JOIN claims c USING (fence) WHERE c.who IS DISTINCT FROM p.who`), "a page by whoever had lost the run")
	for _, m := range append(k.workers, k.front) {
		require.Equal(t, exitOK, m.stop(t, syscall.SIGTERM), m.stderr)
	}
}

// counters are those of a run.
type counters struct {
	outcome                                                    string
	pages, calls                                               int
	seen, created, updated, unchanged, failed, deleted, synced int
}

func (k *killed) readRun(t *testing.T) (c counters) {
	t.Helper()
	require.NoError(t, k.pool.QueryRow(t.Context(), `SELECT outcome, pages, api_calls, records_seen, records_created, records_updated, records_unchanged,
		records_failed, records_deleted, records_synced FROM integration_sync_logs WHERE id = $1`, k.run).Scan(&c.outcome, &c.pages, &c.calls, &c.seen, &c.created,
		&c.updated, &c.unchanged, &c.failed, &c.deleted, &c.synced))
	return c
}
