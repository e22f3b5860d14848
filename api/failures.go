package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// mountFailures mounts the ledger of records that could not be taken: of a run, and of an integration.
func (s *Server) mountFailures() error {
	const tag = "Failures"
	const retried = "Each record is read again by its id, at once, without a sync. What can be taken then is stored and its failure resolved; " +
		"a record that came without an id is met again by the next full sync."
	return errors.Join(
		handle(s, operation{
			method: http.MethodGet, path: "/v1/syncs/{id}/failures", access: accessTenant, id: "list-sync-failures", tag: tag,
			summary: "List the records that a run could not take", description: "With how many there are for each reason. Those that passed later are among them, with resolved_at.",
		}, s.listRunFailures),
		handle(s, operation{
			method: http.MethodPost, path: "/v1/syncs/{id}/failures/retry", access: accessTenant, id: "retry-sync-failures", tag: tag, status: http.StatusAccepted,
			summary: "Try the records again that a run could not take: all, those of a reason, or one", description: retried,
		}, s.retryRunFailures),
		handle(s, operation{
			method: http.MethodGet, path: "/v1/integrations/{id}/failures", access: accessTenant, id: "list-integration-failures", tag: tag,
			summary: "List the records of an integration that can't be taken", description: "Whatever run met them. Open ones, unless open says otherwise.",
		}, s.listIntegrationFailures),
		handle(s, operation{
			method: http.MethodPost, path: "/v1/integrations/{id}/failures/retry", access: accessTenant, id: "retry-integration-failures", tag: tag, status: http.StatusAccepted,
			summary: "Try an integration's records again: all, those of a reason, or one", description: retried,
		}, s.retryIntegrationFailures),
	)
}

// FailureQuery is what a ledger is asked with. Exported, since Huma looks for parameters in exported fields only.
type FailureQuery struct {
	PageQuery

	Reason string `query:"reason" enum:"no_id,too_large,bad_text,bad_time,bad_shape,refused" doc:"Only those of this reason."`
}

type runFailuresInput struct {
	FailureQuery

	ID   string `path:"id"`
	Open string `query:"open" enum:"true,false" doc:"Only open ones, or only resolved ones."`
}

type integrationFailuresInput struct {
	FailureQuery

	ID   string `path:"id"`
	Open string `query:"open" enum:"true,false,all" default:"true" doc:"Open ones, resolved ones, or all."`
}

// failureView is a record in quarantine, with its reason in words.
type failureView struct {
	store.Failure

	Sentence string `json:"sentence" doc:"Why it could not be taken, in the caller's language."`
}

// reasonView is how many records could not be taken for one reason, in words.
type reasonView struct {
	store.FailureCount

	Sentence string `json:"sentence" doc:"The reason in the caller's language."`
}

// failuresPage is a page of the ledger, with what all of it comes to.
type failuresPage struct {
	page[failureView]

	Reasons []reasonView `json:"reasons" nullable:"false" doc:"Of all that the filter finds, not of this page alone: the most frequent first."`
}

type failuresOutput struct{ Body failuresPage }

func (s *Server) listRunFailures(ctx context.Context, in *runFailuresInput) (*failuresOutput, error) {
	integration, run, err := s.integrationOfRun(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.listFailures(ctx, integration, in.FailureQuery, store.FailureFilter{Run: &run.ID, Open: isOpen(in.Open)})
}

func (s *Server) listIntegrationFailures(ctx context.Context, in *integrationFailuresInput) (*failuresOutput, error) {
	integration, err := s.readIntegrationOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.listFailures(ctx, integration, in.FailureQuery, store.FailureFilter{Open: isOpen(in.Open)})
}

func isOpen(text string) *bool {
	if text != "true" && text != "false" {
		return nil
	}
	open := text == "true"
	return &open
}

func (s *Server) listFailures(ctx context.Context, i store.Integration, query FailureQuery, f store.FailureFilter) (*failuresOutput, error) {
	after, err := query.after()
	if err != nil {
		return nil, err
	}
	f.Integration, f.Reason = i.ID, query.Reason
	rows, err := s.store.ListFailures(ctx, f, after, query.Limit+1)
	if err != nil {
		return nil, err
	}
	counts, err := s.store.CountFailures(ctx, f)
	if err != nil {
		return nil, err
	}
	lang := callOf(ctx).lang
	views := make([]failureView, 0, len(rows))
	for _, row := range rows {
		views = append(views, failureView{row, s.skipped(lang, i, row.Reason, value(row.Field), value(row.Detail))})
	}
	out := &failuresOutput{}
	out.Body.Reasons = make([]reasonView, 0, len(counts))
	for _, c := range counts {
		out.Body.Reasons = append(out.Body.Reasons, reasonView{c, s.skipped(lang, i, c.Reason, value(c.Field), "")})
	}
	out.Body.page, err = pageOf(query.PageQuery, rows, views, func(f store.Failure) any { return store.After{At: f.LastSeenAt, ID: f.ID} })
	return out, err
}

// recordLimit is how large a record may be, as people write it.
const recordLimit = "1 MB"

func (s *Server) skipped(lang words.Lang, i store.Integration, reason, field, detail string) string {
	args := s.argsOf(i)
	args.Field, args.Detail, args.Limit = field, detail, recordLimit
	return words.Skipped(lang, reason, args)
}

// RetryBody chooses what is tried again. Exported, since Huma looks for members in exported fields only.
type RetryBody struct {
	FailureID string `json:"failure_id,omitempty" doc:"Only this one; without it, all."`
	Reason    string `json:"reason,omitempty" enum:"no_id,too_large,bad_text,bad_time,bad_shape,refused" doc:"Only those of this reason."`
}

type retryFailuresInput struct {
	IdempotencyHeader

	ID   string     `path:"id"`
	Body *RetryBody `required:"false"`
}

// retryView is what a retry has begun.
type retryView struct {
	Retrying  int64 `json:"retrying" doc:"Records that are read again by their ids now."`
	WithoutID int64 `json:"without_id" doc:"Records that came without an id: the next full sync meets them again."`
}

type retryOutput struct{ Body retryView }

func (s *Server) retryRunFailures(ctx context.Context, in *retryFailuresInput) (*retryOutput, error) {
	integration, run, err := s.integrationOfRun(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.retryFailures(ctx, integration, in, store.FailureFilter{Run: &run.ID})
}

func (s *Server) retryIntegrationFailures(ctx context.Context, in *retryFailuresInput) (*retryOutput, error) {
	integration, err := s.readIntegrationOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.retryFailures(ctx, integration, in, store.FailureFilter{})
}

func (s *Server) retryFailures(ctx context.Context, i store.Integration, in *retryFailuresInput, f store.FailureFilter) (*retryOutput, error) {
	f.Integration = i.ID
	var only *uuid.UUID
	if in.Body != nil {
		f.Reason = in.Body.Reason
		if in.Body.FailureID != "" {
			id, err := pathID(in.Body.FailureID)
			if err != nil {
				return nil, err
			}
			only = &id
		}
	}
	v, err := onceBeside(ctx, s, in.IdempotencyKey, func(ctx context.Context) (retryView, error) {
		r, err := s.jobs.RetryFailures(ctx, callOf(ctx).principal.scope(), f, only)
		return retryView{Retrying: r.Records, WithoutID: r.Nameless}, s.named(i, err)
	})
	return &retryOutput{v}, err
}

// integrationOfRun reads a run that the caller may see, and its integration.
func (s *Server) integrationOfRun(ctx context.Context, text string) (store.Integration, store.Run, error) {
	id, err := pathID(text)
	if err != nil {
		return store.Integration{}, store.Run{}, err
	}
	run, err := s.store.Run(ctx, callOf(ctx).principal.scope(), id)
	if err != nil {
		return store.Integration{}, run, err
	}
	integration, err := s.store.AnyIntegration(ctx, run.IntegrationID)
	return integration, run, err
}

// readIntegrationOf reads one that the caller may see by the text of its id.
func (s *Server) readIntegrationOf(ctx context.Context, text string) (store.Integration, error) {
	id, err := pathID(text)
	if err != nil {
		return store.Integration{}, err
	}
	return s.readIntegration(ctx, id)
}
