package inspect

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
)

// probeLimit bounds a probe: a browser waits for it.
const probeLimit = 10 * time.Second

// Found is what an account holds.
type Found struct {
	Contacts int64
	More     bool // at least so many: the provider doesn't count
}

// Probe reads one real page of an account that is being connected, with a client of its new grant, and counts what is
// there. The error is a [*providers.Error]: an account whose contacts can't be read is found out here, and not by its
// first sync.
func (i *Inspector) Probe(ctx context.Context, provider string, account providers.Account, client *http.Client) (f Found, err error) {
	p := i.providers[provider]
	if p == nil || p.Contacts == nil {
		return f, nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	source := p.Contacts(account, client)
	if closer, ok := source.(io.Closer); ok {
		defer func() { _ = closer.Close() }()
	}
	purse := newPurse(i.store, p, account.ExternalID)
	defer i.noteProbe(ctx, purse)
	ctx = providers.WithPayer(ctx, purse)
	var req providers.ListRequest
	if planner, ok := source.(providers.SweepPlanner); ok {
		plan, seen, err := planner.PlanSweep(ctx, 0)
		purse.learn(seen.Usage, err == nil)
		if err != nil {
			return f, err
		}
		req.Cursor = plan.Sample
	}
	page, err := source.ListContacts(ctx, req)
	purse.learn(page.Usage, err == nil)
	if err != nil {
		return f, err
	}
	f = Found{Contacts: int64(len(page.Contacts) + len(page.Failures)), More: page.Next != ""}
	counter, ok := source.(providers.ContactCounter)
	if !ok || !f.More {
		return f, nil
	}
	n, seen, err := counter.CountContacts(ctx)
	purse.learn(seen.Usage, err == nil)
	if err != nil { // the page was read, which is what counts
		return f, nil //nolint:nilerr // the same
	}
	return Found{Contacts: n}, nil
}

// noteProbe counts what a probe has cost.
func (i *Inspector) noteProbe(ctx context.Context, p *purse) {
	if !p.used {
		return
	}
	ctx = context.WithoutCancel(ctx)
	err := i.store.Tx(ctx, func(tx pgx.Tx) error { return p.note(ctx, tx) })
	if err != nil {
		i.log.Warn().Err(err).Str("provider", p.key.Provider).Msg("what a probe has cost could not be noted")
	}
}
