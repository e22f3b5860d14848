package bench

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
)

// BenchmarkPageWrite is the commit of a page of 500 records: new ones, unchanged ones, and with a tenth changed.
func BenchmarkPageWrite(b *testing.B) {
	pool := database(b)
	st := store.New(pool)
	for _, phase := range []string{"cold", "unchanged", "changed10"} {
		b.Run(phase, func(b *testing.B) {
			c := claim(b, pool, st)
			first := page(0, 0)
			commit(b, st, &c, first, c.Now)
			b.ReportAllocs()
			began, pages := time.Now(), 0
			for b.Loop() {
				pages++
				p := first
				switch phase {
				case "cold":
					p = page(pages*pageSize, 0)
				case "changed10":
					p = page(0, pages)
				}
				commit(b, st, &c, p, c.Now.Add(time.Since(began)+time.Second))
			}
			b.ReportMetric(float64(pages*pageSize)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func commit(b *testing.B, st *store.Store, c *store.Claim, contacts []providers.Contact, at time.Time) {
	b.Helper()
	c.Checkpoint.Page++
	n, err := st.CommitPage(b.Context(), c, store.Page{Contacts: contacts, Read: rules.Read{Begun: at, Done: at}, Spent: store.Spent{Calls: 1}})
	require.NoError(b, err)
	require.EqualValues(b, pageSize, n.Seen)
}

// claim is a slice's right to act on a new run of a new integration.
func claim(b *testing.B, pool *pgxpool.Pool, st *store.Store) store.Claim {
	b.Helper()
	id, run := uuid.New(), uuid.New()
	_, err := pool.Exec(b.Context(), `INSERT INTO integrations (id, tenant_id, provider) VALUES ($1, gen_random_uuid(), 'pipedrive')`, id)
	require.NoError(b, err)
	_, err = pool.Exec(b.Context(), `INSERT INTO integration_sync_logs (id, integration_id, sync_type, job_id) VALUES ($1, $2, 'full', 1)`, run, id)
	require.NoError(b, err)
	c, err := st.ClaimRun(b.Context(), run, 1)
	require.NoError(b, err)
	c.Checkpoint.Sweep = true
	return c
}

// page makes records from a number on; version changes a tenth of them.
func page(from, version int) []providers.Contact {
	contacts := make([]providers.Contact, pageSize)
	for i := range contacts {
		n, name := from+i, "Lucía García"
		updated := time.Unix(1_700_000_000, 0)
		if version > 0 && i%10 == 7 {
			name = fmt.Sprintf("Lucía García %d", version)
			updated = updated.Add(time.Duration(version) * time.Second)
		}
		contacts[i] = providers.Contact{
			ExternalID: strconv.Itoa(n + 1), Name: name, FirstName: "Lucía", LastName: "García", OwnerID: "1000", OrganizationID: strconv.Itoa(n % 5000),
			Emails:       []providers.Address{{Value: fmt.Sprintf("persona.%06d@example.com", n), Label: "work", Primary: true}},
			Phones:       []providers.Address{{Value: fmt.Sprintf("+34 6%02d %03d %03d", n%100, n%1000, n*7%1000), Label: "mobile", Primary: true}},
			CustomFields: []byte(`{"1f0c7a5e9b3d4c2a8e6f7b1d0a9c8e7f6d5b4a31":"Comercial Peninsular de Suministros, S.L.","2a1d8b6f0c4e5d3b9f7a8c2e1b0d9f8a7e6c5b42":7}`),
			CreatedAt:    time.Unix(1_690_000_000, 0), UpdatedAt: updated,
		}
	}
	return contacts
}
