//go:build unix

package worker_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

// endsPermission are the faults after which a person has to reconnect.
var endsPermission = []sandbox.Kind{sandbox.Fault401, sandbox.FaultInvalidGrant} //nolint:gochecknoglobals // a constant table

// row is what is stored of a living contact.
type row struct {
	person

	hash string
}

func (s *story) stored(ctx context.Context) (map[string]row, error) {
	rows, err := s.pool.Query(ctx, `SELECT external_id, name, remote_updated_at, content_hash FROM contacts WHERE integration_id = $1 AND deleted_at IS NULL`, s.id)
	if err != nil {
		return nil, err
	}
	list := make(map[string]row)
	var id, name string
	var updated *time.Time
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &name, &updated, &hash}, func() error {
		r := row{person{Name: name}, string(hash)}
		if updated != nil {
			r.Updated = updated.UTC().Format(time.RFC3339Nano)
		}
		list[id] = r
		return nil
	})
	return list, err
}

func (s *story) account(ctx context.Context) providers.Account {
	in, err := s.store.AnyIntegration(ctx, s.id)
	if err != nil {
		return providers.Account{}
	}
	return providers.Account{ExternalID: value(in.ExternalAccountID), APIDomain: value(in.APIDomain), AuthServer: value(in.AuthServer), EverWorked: true}
}

// quarantine checks that exactly the records which nobody can read are in it.
func (s *story) quarantine(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `SELECT external_id FROM sync_failures WHERE integration_id = $1 AND resolved_at IS NULL ORDER BY 1`, s.id)
	if err != nil {
		return err
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	want := slices.Sorted(maps.Keys(s.bad))
	if !slices.Equal(got, want) {
		return fmt.Errorf("in quarantine are %v instead of %v", got, want)
	}
	return nil
}

// books checks what holds of every run, whatever happened to it. Deadlocks are not asked for: River's own insert of several
// periodic jobs and its write of how several ended may meet, which it tries again, and here they do so all the time.
func (s *story) books(ctx context.Context) error {
	var failed []error
	for what, sql := range map[string]string{
		"a page came twice":          `SELECT count(*) FROM (SELECT FROM page_log GROUP BY run_id, walk, page HAVING count(*) > 1) x`,
		"a page without its claim":   `SELECT count(*) FROM page_log p LEFT JOIN claims c USING (run_id, fence) WHERE c.who IS DISTINCT FROM p.who OR c.job IS DISTINCT FROM p.job`,
		"a page of an earlier fence": `SELECT count(*) FROM page_log p JOIN page_log q ON q.run_id = p.run_id AND q.at > p.at AND q.fence < p.fence`,
		"a page of a run that ended": `SELECT count(*) FROM page_log WHERE before <> 'in_progress'`,
		"counters don't add up": `SELECT count(*) FROM integration_sync_logs WHERE records_seen <> records_created + records_updated + records_unchanged + records_failed
			OR coalesce(records_synced, 0) <> records_seen - records_failed`,
		"a job without its end":                  `SELECT count(*) FROM river.river_job WHERE kind IN ('contacts_sync', 'contact_changes', 'webhook_inbox') AND finalized_at IS NULL AND state <> 'running'`,
		"a run that has not ended well or badly": `SELECT count(*) FROM integration_sync_logs WHERE status NOT IN ('completed', 'failed') OR (status = 'completed') <> (error_code IS NULL)`,
	} {
		var n int
		if err := s.pool.QueryRow(ctx, sql).Scan(&n); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if n != 0 {
			failed = append(failed, fmt.Errorf("%s: %d", what, n))
		}
	}
	return errors.Join(failed...)
}

// incidents checks that none is left open. Those of subscriptions close by a round of their own.
func (s *story) incidents(ctx context.Context) error {
	var open []string
	for end := time.Now().Add(patient); ; pause(ctx, 50*time.Millisecond) {
		list, err := s.store.ListIncidents(ctx, &s.tenant, nil, new(true), store.After{}, 100)
		if err != nil {
			return err
		}
		open = nil
		for _, n := range list {
			open = append(open, n.Code+" "+value(n.Variant))
		}
		if len(open) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("incidents are left open: %s", strings.Join(open, ", "))
		}
		if _, err := s.pool.Exec(ctx, `UPDATE webhook_subscriptions SET due_at = clock_timestamp() WHERE due_at > clock_timestamp() + interval '1 s'`); err != nil {
			return err
		}
		if err := s.tend(ctx); err != nil {
			return err
		}
	}
}

// show tells how things stand, as an error beside the one that made somebody look.
func (s *story) show(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var b strings.Builder
	for _, sql := range []string{
		`SELECT format('integration %s %s, window %s, swept %s, next %s', status, status_reason, window_end, swept_at, next_sync_at) FROM integrations`,
		`SELECT format('run %s %s by %s: %s %s %s, pages %s, seen %s, fence %s, failures %s, lease %s, waits %s %s, after %s | job %s %s at %s, attempt %s, errors %s | %s', left(r.id::text, 13), sync_type,
			requested_by, status, coalesce(outcome, error_code), error_detail, pages, records_seen, fence, failures_in_row, lease_until - clock_timestamp(), waiting_until - clock_timestamp(),
			waiting_reason, left(after_run_id::text, 13), j.id, j.state, j.scheduled_at - now(), j.attempt, left(j.errors::text, 300), CASE WHEN status <> 'completed' THEN checkpoint END)
			FROM integration_sync_logs r LEFT JOIN river.river_job j ON j.id = r.job_id ORDER BY r.created_at`,
		`SELECT format('queue: job %s %s at %s, waits %s %s, lease %s, failures %s', q.job_id, j.state, j.scheduled_at - now(), q.waiting_until - clock_timestamp(), waiting_reason,
			lease_until - clock_timestamp(), failures_in_row) FROM change_queues q LEFT JOIN river.river_job j ON j.id = q.job_id`,
		`SELECT format('pending %s, due %s, failures %s', external_id, due_at - clock_timestamp(), failures) FROM pending_changes LIMIT 10`,
		`SELECT format('unprocessed deliveries: %s', count(*)) FROM webhook_deliveries WHERE processed_at IS NULL`,
		`SELECT format('budget: blocked %s %s', blocked_until - clock_timestamp(), reason) FROM rate_budgets`,
		`SELECT format('subscription: %s due %s, failures %s, expires %s', status, due_at - clock_timestamp(), failures, expires_at - clock_timestamp()) FROM webhook_subscriptions`,
		`SELECT format('%s open jobs of %s: %s', count(*), kind, state) FROM river.river_job WHERE finalized_at IS NULL GROUP BY kind, state`,
		`SELECT format('clock: %s ahead', ahead) FROM clockwork.skew`,
	} {
		rows, err := s.pool.Query(ctx, sql)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, line := range lines {
			b.WriteString("\n    " + line)
		}
	}
	return errors.New(b.String()[1:])
}
