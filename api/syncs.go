package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/jobs"
	"example.com/enlace/store"
)

func (s *Server) mountSyncs() error {
	const tag = "Syncs"
	return errors.Join(
		handle(s, operation{
			method: http.MethodPost, path: "/v1/integrations/{id}/syncs", access: accessTenant, id: "start-sync", tag: tag, status: http.StatusAccepted, lasting: true,
			summary: "Start a sync, or preview it",
			description: "Answers with a run of the asked kind whose job exists: a new one, or the one that is active or next already. " +
				"With preview, it begins nothing and writes nothing: it reads a sample of the account and says what the sync would cost and do, with 200.",
			success: s.answerOf(reflect.TypeFor[runView](), "The run. Location is where it is read."),
			also:    map[int]*huma.Response{http.StatusOK: s.answerOf(reflect.TypeFor[previewView](), "The preview.")},
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
	)
}

type startSyncInput struct {
	IdempotencyHeader

	ID   string `path:"id"`
	Body struct {
		SyncType string `json:"sync_type" enum:"full,incremental" doc:"full: reads everything, and finds what was deleted; incremental: what has changed since."`
		Preview  bool   `json:"preview,omitempty" doc:"Only say what the sync would cost and do."`
	}
}

// startSyncOutput is a run, with 202, or a preview, with 200.
type startSyncOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     any
}

type runOutput struct {
	Location string `header:"Location"`
	Body     runView
}

func newRunOutput(v runView) *runOutput {
	return &runOutput{Location: "/v1/syncs/" + v.ID.String(), Body: v}
}

func (s *Server) startSync(ctx context.Context, in *startSyncInput) (*startSyncOutput, error) {
	if in.Body.Preview {
		v, err := s.preview(ctx, in.ID, in.Body.SyncType)
		return &startSyncOutput{Status: http.StatusOK, Body: v}, err
	}
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	run, err := s.enqueue(ctx, in.IdempotencyKey, in.ID, in.Body.SyncType)
	if err != nil {
		return nil, err
	}
	return &startSyncOutput{Status: http.StatusAccepted, Location: run.Location, Body: run.Body}, nil
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
