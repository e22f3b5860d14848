package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/jobs"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

func (s *Server) mountSyncs() error {
	const tag = "Syncs"
	return errors.Join(
		handle(s, operation{
			method: http.MethodPost, path: "/v1/integrations/{id}/syncs", access: accessTenant, id: "start-sync", tag: tag, status: http.StatusAccepted,
			summary:     "Start a sync",
			description: "Answers with a run of the asked kind whose job exists: a new one, or the one that is active or next already.",
		}, s.startSync),
		handle(s, operation{
			method: http.MethodGet, path: "/v1/syncs", access: accessTenant, id: "list-syncs", tag: tag, summary: "List runs, newest first",
		}, s.listSyncs),
		handle(s, operation{
			method: http.MethodGet, path: "/v1/syncs/{id}", access: accessTenant, id: "read-sync", tag: tag, summary: "Read a run",
		}, s.readSync),
		handle(s, operation{
			method: http.MethodPost, path: "/v1/syncs/{id}/cancel", access: accessTenant, id: "cancel-sync", tag: tag,
			summary: "Cancel a run", description: "What it has synced stays. The run has ended when this answers.",
		}, s.cancelSync),
		handle(s, operation{
			method: http.MethodPost, path: "/v1/syncs/{id}/retry", access: accessTenant, id: "retry-sync", tag: tag, status: http.StatusAccepted,
			summary: "Retry a failed run", description: "It goes on from where it stopped.",
		}, s.retrySync),
		handle(s, operation{
			method: http.MethodGet, path: "/v1/syncs/{id}/failures", access: accessTenant, id: "list-sync-failures", tag: tag,
			summary: "List the records that a run could not take",
		}, s.listFailures),
	)
}

type startSyncInput struct {
	IdempotencyHeader

	ID   string `path:"id"`
	Body struct {
		SyncType string `json:"sync_type" enum:"full,incremental" doc:"full: reads everything, and finds what was deleted; incremental: what has changed since."`
	}
}

type runOutput struct {
	Location string `header:"Location"`
	Body     runView
}

func newRunOutput(v runView) *runOutput {
	return &runOutput{Location: "/v1/syncs/" + v.ID.String(), Body: v}
}

func (s *Server) startSync(ctx context.Context, in *startSyncInput) (*runOutput, error) {
	return s.enqueue(ctx, in.IdempotencyKey, in.ID, in.Body.SyncType)
}

// enqueue creates run, job and stored answer in one transaction, which needs no second connection.
func (s *Server) enqueue(ctx context.Context, key, integrationID, syncType string) (*runOutput, error) {
	id, err := pathID(integrationID)
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	integration, err := s.readIntegration(ctx, id)
	if err != nil {
		return nil, err
	}
	v, err := once(ctx, s, key, func(ctx context.Context, tx pgx.Tx) (runView, error) {
		run, err := s.jobs.EnqueueSyncTx(ctx, tx, c.principal.scope(), id, store.NewRun{SyncType: syncType, RequestedBy: c.principal.Actor})
		return s.viewRun(c.lang, run, integration, 0), err
	})
	if err != nil {
		return nil, s.named(integration, err)
	}
	return newRunOutput(v), nil
}

// named lets the refusal of an integration that does no work say its account's name.
func (s *Server) named(integration store.Integration, err error) error {
	inactive, ok := errors.AsType[*jobs.InactiveError](err)
	if !ok {
		return err
	}
	f := inactiveFault(inactive.Status, err)
	f.args = s.argsOf(integration)
	return f
}

// readIntegration reads one that the caller may see.
func (s *Server) readIntegration(ctx context.Context, id uuid.UUID) (store.Integration, error) {
	if scope := callOf(ctx).principal.scope(); scope != nil {
		return s.store.Integration(ctx, *scope, id)
	}
	return s.store.AnyIntegration(ctx, id)
}

type listSyncsInput struct {
	PageQuery

	IntegrationID string `query:"integration_id" doc:"Only of this integration."`
	Status        string `query:"status" enum:"pending,in_progress,completed,failed" doc:"Only in this state."`
}

type runsOutput struct{ Body page[runView] }

func (s *Server) listSyncs(ctx context.Context, in *listSyncsInput) (*runsOutput, error) {
	integration, err := queryID("integration_id", in.IntegrationID)
	if err != nil {
		return nil, err
	}
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	filter := store.RunFilter{Tenant: callOf(ctx).principal.scope(), Integration: integration, Status: in.Status}
	runs, err := s.store.ListRuns(ctx, filter, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	views, err := s.viewRuns(ctx, runs)
	if err != nil {
		return nil, err
	}
	p, err := pageOf(in.PageQuery, runs, views, func(r store.Run) any { return store.After{At: r.CreatedAt, ID: r.ID} })
	return &runsOutput{p}, err
}

type runInput struct {
	ID string `path:"id"`
}

type runReadOutput struct{ Body runView }

func (s *Server) readSync(ctx context.Context, in *runInput) (*runReadOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	run, err := s.store.Run(ctx, callOf(ctx).principal.scope(), id)
	if err != nil {
		return nil, err
	}
	v, err := s.viewOneRun(ctx, run)
	return &runReadOutput{v}, err
}

type runActInput struct {
	IdempotencyHeader

	ID string `path:"id"`
}

func (s *Server) cancelSync(ctx context.Context, in *runActInput) (*runReadOutput, error) {
	v, err := s.actOnRun(ctx, in, s.jobs.CancelSync)
	return &runReadOutput{v}, err
}

func (s *Server) retrySync(ctx context.Context, in *runActInput) (*runOutput, error) {
	v, err := s.actOnRun(ctx, in, s.jobs.RetrySync)
	if err != nil {
		return nil, err
	}
	return newRunOutput(v), nil
}

func (s *Server) actOnRun(ctx context.Context, in *runActInput, act func(context.Context, *uuid.UUID, uuid.UUID) (store.Run, error)) (runView, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return runView{}, err
	}
	return onceBeside(ctx, s, in.IdempotencyKey, func(ctx context.Context) (runView, error) {
		run, err := act(ctx, callOf(ctx).principal.scope(), id)
		if err != nil {
			return runView{}, s.inactiveRun(ctx, run, err)
		}
		return s.viewOneRun(ctx, run)
	})
}

// inactiveRun is named for a run whose integration has yet to be read.
func (s *Server) inactiveRun(ctx context.Context, run store.Run, err error) error {
	if _, ok := errors.AsType[*jobs.InactiveError](err); !ok {
		return err
	}
	integration, readErr := s.store.AnyIntegration(ctx, run.IntegrationID)
	if readErr != nil {
		return err
	}
	return s.named(integration, err)
}

type listFailuresInput struct {
	PageQuery

	ID string `path:"id"`
}

// failureView is a record in quarantine, with its reason in words.
type failureView struct {
	store.Failure

	Sentence string `json:"sentence" doc:"Why it could not be taken, in the caller's language."`
}

type failuresOutput struct{ Body page[failureView] }

func (s *Server) listFailures(ctx context.Context, in *listFailuresInput) (*failuresOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	run, err := s.store.Run(ctx, c.principal.scope(), id)
	if err != nil {
		return nil, err
	}
	integration, err := s.store.AnyIntegration(ctx, run.IntegrationID)
	if err != nil {
		return nil, err
	}
	rows, err := s.store.ListFailures(ctx, c.principal.scope(), id, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	views := make([]failureView, 0, len(rows))
	for _, f := range rows {
		args := s.argsOf(integration)
		args.Field, args.Detail = value(f.Field), value(f.Detail)
		views = append(views, failureView{f, words.Skipped(c.lang, f.Reason, args)})
	}
	p, err := pageOf(in.PageQuery, rows, views, func(f store.Failure) any { return store.After{At: f.LastSeenAt, ID: f.ID} })
	return &failuresOutput{p}, err
}
