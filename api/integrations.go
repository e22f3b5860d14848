package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/jobs"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

func (s *Server) mountIntegrations() error {
	const tag = "Integrations"
	return errors.Join(
		handle(s, operation{
			method: http.MethodGet, path: "/v1/integrations", access: accessTenant, id: "list-integrations", tag: tag,
			summary: "List the connected accounts, newest first",
		}, s.listIntegrations),
		handle(s, operation{
			method: http.MethodGet, path: "/v1/integrations/{id}", access: accessTenant, id: "read-integration", tag: tag, summary: "Read an integration",
		}, s.getIntegration),
		handle(s, operation{
			method: http.MethodPatch, path: "/v1/integrations/{id}", access: accessTenant, id: "change-integration", tag: tag,
			summary:     "Pause, resume, reschedule or annotate an integration",
			description: "Pausing also cancels what is active. Resuming catches up at once.",
		}, s.changeIntegration),
		handle(s, operation{
			method: http.MethodDelete, path: "/v1/integrations/{id}", access: accessTenant, id: "disconnect-integration", tag: tag,
			summary:     "Disconnect an integration",
			description: "Its tokens are erased and what is active is cancelled; its contacts stay. The permission at the provider is withdrawn unless another integration uses the same account.",
		}, s.disconnectIntegration),
		handle(s, operation{
			method: http.MethodPost, path: "/v1/integrations/{id}/check", access: accessTenant, id: "check-integration", tag: tag,
			summary:     "Read the account now",
			description: "Renews the token if it must. Where the provider lets us in, a run that waited for just that goes on at once.",
		}, s.checkIntegration),
	)
}

type listIntegrationsInput struct {
	PageQuery

	Provider string `query:"provider" maxLength:"50" doc:"Only of this provider."`
}

type integrationsOutput struct{ Body page[integrationView] }

func (s *Server) listIntegrations(ctx context.Context, in *listIntegrationsInput) (*integrationsOutput, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	rows, err := s.store.ListIntegrations(ctx, c.principal.scope(), in.Provider, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	views, err := s.viewIntegrations(ctx, c.lang, rows)
	if err != nil {
		return nil, err
	}
	p, err := pageOf(in.PageQuery, rows, views, func(i store.Integration) any { return store.After{At: i.CreatedAt, ID: i.ID} })
	return &integrationsOutput{p}, err
}

type integrationInput struct {
	ID string `path:"id"`
}

type integrationOutput struct{ Body integrationView }

func (s *Server) getIntegration(ctx context.Context, in *integrationInput) (*integrationOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	i, err := s.readIntegration(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.integrationOutput(ctx, i)
}

func (s *Server) integrationOutput(ctx context.Context, i store.Integration) (*integrationOutput, error) {
	views, err := s.viewIntegrations(ctx, callOf(ctx).lang, []store.Integration{i})
	if err != nil {
		return nil, err
	}
	return &integrationOutput{views[0]}, nil
}

type changeIntegrationInput struct {
	ID   string `path:"id"`
	Body struct {
		Paused   *bool   `json:"paused,omitempty"`
		Schedule *string `json:"schedule,omitempty" maxLength:"100" doc:"A cron expression of five fields, CRON_TZ=Europe/Madrid before it if it isn't meant in UTC; or \"@every 15m\", at least a minute."`
		Metadata *notes  `json:"metadata,omitempty" doc:"Replaces the tenant's own notes: 16 KiB at most, numbers as they are written."`
	}
}

func (s *Server) changeIntegration(ctx context.Context, in *changeIntegrationInput) (*integrationOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	change := store.IntegrationChange{Paused: in.Body.Paused}
	if in.Body.Metadata != nil {
		if change.Metadata, err = in.Body.Metadata.read(); err != nil {
			return nil, err
		}
	}
	if in.Body.Schedule != nil {
		if err := s.reschedule(ctx, &change, *in.Body.Schedule); err != nil {
			return nil, err
		}
	}
	var changed store.Integration
	err = s.store.Tx(ctx, func(tx pgx.Tx) error {
		changed, err = s.change(ctx, tx, id, change)
		return err
	})
	if err != nil {
		return nil, s.inactiveRun(ctx, store.Run{IntegrationID: id}, err)
	}
	return s.integrationOutput(ctx, changed)
}

// reschedule checks a schedule, and finds its next tick by the database's clock.
func (s *Server) reschedule(ctx context.Context, change *store.IntegrationChange, text string) error {
	schedule, err := jobs.ParseSchedule(text)
	if err != nil {
		f := invalid("schedule", words.PhraseFormat, "*/15 * * * *, @every 15m")
		f.err = err
		return f
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	next := schedule.Next(now)
	if next.IsZero() { // the 30th of February, say
		return invalid("schedule", words.PhraseFormat, "*/15 * * * *, @every 15m")
	}
	change.Schedule, change.NextSyncAt = &text, &next
	return nil
}

// change changes an integration. One that is paused doesn't go on with what it has begun: that ends in the same
// transaction.
func (s *Server) change(ctx context.Context, tx pgx.Tx, id uuid.UUID, change store.IntegrationChange) (store.Integration, error) {
	p := callOf(ctx).principal
	in, err := s.store.LockIntegration(ctx, tx, p.scope(), id)
	if err != nil {
		return store.Integration{}, err
	}
	if change.Paused != nil && in.Status == store.Disconnected {
		return store.Integration{}, &jobs.InactiveError{Status: in.Status}
	}
	if in.Status == store.Disconnected {
		change.NextSyncAt = nil
	}
	changed, err := s.store.ChangeIntegration(ctx, tx, p.scope(), id, change)
	if err != nil {
		return changed, err
	}
	if changed.Status == store.Paused && in.Status != store.Paused {
		if err := s.store.EndAllRuns(ctx, tx, in, store.RunEnd{Status: store.Failed, Code: jobs.Cancelled}); err != nil {
			return changed, err
		}
	}
	details := map[string]any{"paused": change.Paused, "schedule": change.Schedule, "metadata": change.Metadata != nil}
	return changed, s.store.Audit(ctx, tx, store.Audit{
		TenantID: &in.TenantID, Actor: p.Actor, Action: "integration.change", Subject: id.String(), Details: details,
	})
}

type disconnectOutput struct {
	Body struct {
		Integration integrationView `json:"integration"`

		Withdrawal vault.Withdrawal `json:"withdrawal" enum:"withdrawn,kept,none,failed" doc:"What came of the permission at the provider."`
	}
}

func (s *Server) disconnectIntegration(ctx context.Context, in *integrationInput) (*disconnectOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	withdrawal, err := s.vault.Disconnect(ctx, c.principal.scope(), id)
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // it is done, whether or not the caller still listens
	i, err := s.readIntegration(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.store.Audit(ctx, nil, store.Audit{
		TenantID: &i.TenantID, Actor: c.principal.Actor, Action: "integration.disconnect", Subject: id.String(),
		Details: map[string]any{"withdrawal": withdrawal},
	}); err != nil {
		return nil, err
	}
	views, err := s.viewIntegrations(ctx, c.lang, []store.Integration{i})
	if err != nil {
		return nil, err
	}
	out := &disconnectOutput{}
	out.Body.Integration, out.Body.Withdrawal = views[0], withdrawal
	return out, nil
}

// accountView is an account as the provider tells of it now.
type accountView struct {
	ExternalAccountID   string `json:"external_account_id"`
	ExternalAccountName string `json:"external_account_name"`
}

type checkOutput struct {
	Body struct {
		IntegrationID uuid.UUID   `json:"integration_id"`
		Account       accountView `json:"account"`
		CheckedAt     time.Time   `json:"checked_at"`
		Woken         bool        `json:"woken" doc:"A run that waited goes on."`
	}
}

// checkIntegration reads the account as a sync would: with its stored token, renewed if need be.
func (s *Server) checkIntegration(ctx context.Context, in *integrationInput) (*checkOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	i, err := s.readIntegration(ctx, id)
	if err != nil {
		return nil, err
	}
	if !i.IsActive {
		return nil, s.named(i, &jobs.InactiveError{Status: i.Status})
	}
	provider := s.providers[i.Provider]
	if provider == nil || provider.OAuth == nil || provider.OAuth.Identify == nil {
		return nil, &fault{code: words.Misconfigured, args: s.argsOf(i), hint: "The provider " + i.Provider + " is not set up here."}
	}
	token, err := s.vault.Token(ctx, id, vault.NoneFailed)
	if err != nil {
		return nil, s.ofProvider(i, err)
	}
	identity, err := provider.OAuth.Identify(ctx, token.Account, s.vault.Client(id, token.Account).Client)
	if err != nil {
		return nil, s.ofProvider(i, err)
	}
	out := &checkOutput{}
	out.Body.IntegrationID, out.Body.CheckedAt = id, s.opts.Now()
	out.Body.Account = accountView{identity.ExternalID, identity.Name}
	out.Body.Woken, err = s.wake(ctx, i)
	return out, err
}

// ofProvider lets a provider's refusal say the names of provider and account.
func (s *Server) ofProvider(i store.Integration, err error) error {
	f := *faultOf(err)
	detail := f.args.Detail
	f.args = s.argsOf(i)
	f.args.Detail = detail
	return &f
}

// wake lets the waiting run of an integration go on, if what it waits for is that the provider lets us in again. A limit
// isn't over because one call went through.
func (s *Server) wake(ctx context.Context, i store.Integration) (bool, error) {
	last, err := s.store.LastRuns(ctx, []uuid.UUID{i.ID})
	if err != nil {
		return false, err
	}
	switch value(last[i.ID].WaitingReason) {
	case words.WaitBlocked, words.WaitBackoff, words.WaitRenewing:
		return s.store.WakeRun(ctx, i.ID)
	}
	return false, nil
}
