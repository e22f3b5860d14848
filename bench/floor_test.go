package bench

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// The floor: a bare loop that fetches, decodes and stores the same pages with a checkpoint, each in one transaction, by
// the method that was measured best: hashes first, then only what differs. It has no engine, no order of reads, no
// normal forms, no fence. The table has the columns and indexes of contacts.
const floorTables = `
DROP TABLE IF EXISTS floor_contacts, floor_checkpoint;
CREATE TABLE floor_contacts (
    id uuid PRIMARY KEY, tenant_id uuid NOT NULL, integration_id uuid NOT NULL, external_id text NOT NULL, name text NOT NULL,
    emails jsonb NOT NULL, phones jsonb NOT NULL, raw jsonb NOT NULL, content_hash bytea NOT NULL, remote_updated_at timestamptz,
    observed_at timestamptz NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (integration_id, external_id));
CREATE INDEX ON floor_contacts (tenant_id, id);
CREATE TABLE floor_checkpoint (id uuid PRIMARY KEY, cursor text NOT NULL, pages int NOT NULL, seen bigint NOT NULL);`

const floorDiffers = `
SELECT u.ord::int FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS u (ext, hash, ord)
LEFT JOIN floor_contacts c ON c.integration_id = $1 AND c.external_id = u.ext WHERE c.content_hash IS DISTINCT FROM u.hash`

const floorUpsert = `
INSERT INTO floor_contacts (id, tenant_id, integration_id, external_id, name, emails, phones, raw, content_hash, remote_updated_at, observed_at)
SELECT u.id, $1, $1, u.ext, u.name, u.emails::jsonb, u.phones::jsonb, u.raw::jsonb, u.hash, u.upd, clock_timestamp()
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::timestamptz[])
    AS u (id, ext, name, emails, phones, raw, hash, upd)
ON CONFLICT (integration_id, external_id) DO UPDATE SET name = excluded.name, emails = excluded.emails, phones = excluded.phones,
    raw = excluded.raw, content_hash = excluded.content_hash, remote_updated_at = excluded.remote_updated_at, updated_at = now()
WHERE floor_contacts.content_hash IS DISTINCT FROM excluded.content_hash`

type floorPerson struct {
	ID           jsontext.Value `json:"id"`
	Name         string         `json:"name"`
	UpdateTime   time.Time      `json:"update_time"`
	Emails       jsontext.Value `json:"emails"`
	Phones       jsontext.Value `json:"phones"`
	CustomFields jsontext.Value `json:"custom_fields"`
}

type floorPage struct {
	Data  []jsontext.Value `json:"data"`
	Extra struct {
		Next *string `json:"next_cursor"`
	} `json:"additional_data"`
}

// floorSync is one pass over the fake; it returns how many persons it saw.
func floorSync(ctx context.Context, b *testing.B, pool *pgxpool.Pool, f *fake, id uuid.UUID) (seen int) {
	b.Helper()
	for cursor := ""; ; {
		page := floorFetch(ctx, b, f, cursor)
		seen += len(page.Data)
		next := ""
		if page.Extra.Next != nil {
			next = *page.Extra.Next
		}
		require.NoError(b, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return floorStore(ctx, tx, id, page.Data, next, seen) }))
		if next == "" {
			return seen
		}
		cursor = next
	}
}

func floorFetch(ctx context.Context, b *testing.B, f *fake, cursor string) (page floorPage) {
	b.Helper()
	url := f.URL + "/api/v2/persons?limit=500&sort_by=id"
	if cursor != "" {
		url += "&cursor=" + cursor
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(b, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(b, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(body, &page))
	return page
}

func floorStore(ctx context.Context, tx pgx.Tx, id uuid.UUID, data []jsontext.Value, cursor string, seen int) error {
	ext, hashes, persons := make([]string, len(data)), make([][]byte, len(data)), make([]floorPerson, len(data))
	for i, raw := range data {
		if err := json.Unmarshal(raw, &persons[i]); err != nil {
			return err
		}
		sum := sha256.Sum256(raw)
		ext[i], hashes[i] = string(persons[i].ID), sum[:]
	}
	rows, err := tx.Query(ctx, floorDiffers, id, ext, hashes)
	if err != nil {
		return err
	}
	differ, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return err
	}
	if n := len(differ); n > 0 {
		ids, exts, names, hs, at := make([]uuid.UUID, n), make([]string, n), make([]string, n), make([][]byte, n), make([]time.Time, n)
		emails, phones, raws := make([]string, n), make([]string, n), make([]string, n)
		for i, ord := range differ {
			p := persons[ord-1]
			ids[i], exts[i], names[i], hs[i], at[i] = uuid.Must(uuid.NewV7()), ext[ord-1], p.Name, hashes[ord-1], p.UpdateTime
			emails[i], phones[i], raws[i] = string(p.Emails), string(p.Phones), string(p.CustomFields)
		}
		if _, err := tx.Exec(ctx, floorUpsert, id, ids, exts, names, emails, phones, raws, hs, at); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO floor_checkpoint VALUES ($1, $2, 1, $3)
		ON CONFLICT (id) DO UPDATE SET cursor = excluded.cursor, pages = floor_checkpoint.pages + 1, seen = excluded.seen`, id, cursor, seen)
	return err
}
