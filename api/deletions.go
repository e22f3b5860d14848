package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// mountDeletions mounts the deletions that a full sync has left to a person.
func (s *Server) mountDeletions() error {
	const tag = "Deletions"
	return errors.Join(
		handle(s, operation{
			method: http.MethodGet, path: "/v1/syncs/{id}/deletions", access: accessTenant, id: "list-held-deletions", tag: tag,
			summary:     "List the deletions that a run has left to a person",
			description: "The contacts that were missing, in the order of their ids, and what they come to. With sample, only some of them, spread out, those first that were read by themselves. After a decision, the list is empty and the summary tells what was decided.",
		}, s.listDeletions),
		handle(s, operation{
			method: http.MethodPost, path: "/v1/syncs/{id}/deletions/confirm", access: accessTenant, id: "confirm-deletions", tag: tag,
			summary:     "Delete here what is missing there",
			description: "The contacts are marked as deleted. If they come back there, they come back here. Those that were read alive since they went missing stay.",
		}, s.confirmDeletions),
		handle(s, operation{
			method: http.MethodPost, path: "/v1/syncs/{id}/deletions/discard", access: accessTenant, id: "discard-deletions", tag: tag,
			summary: "Keep what is missing there", description: "If the contacts are still missing after the next full sync, it asks again.",
		}, s.discardDeletions),
	)
}

type listDeletionsInput struct {
	PageQuery

	ID     string `path:"id"`
	Sample int    `query:"sample" minimum:"0" maximum:"100" doc:"So many of them, spread out, instead of a page."`
}

// deletionsSummary is what held deletions come to.
type deletionsSummary struct {
	Held           int64      `json:"held" doc:"How many wait for a decision."`
	Live           int64      `json:"live" doc:"How many contacts there were when they went missing."`
	Percent        float64    `json:"percent" doc:"held of live."`
	Reason         string     `json:"reason" enum:"many_missing,all_missing," doc:"Empty: nothing waits."`
	Sentence       string     `json:"sentence" doc:"The reason in the caller's language."`
	SampleRead     int64      `json:"sample_read" doc:"How many of them were read by themselves; all of those were absent."`
	SampleSentence string     `json:"sample_sentence" doc:"What that sample showed, in the caller's language."`
	Decision       *string    `json:"decision" doc:"confirmed, discarded, or cleared by a later full sync; null: they wait."`
	DecidedBy      *string    `json:"decided_by"`
	DecidedAt      *time.Time `json:"decided_at"`
}

type deletionsPage struct {
	page[store.HeldDeletion]

	Summary deletionsSummary `json:"summary"`
}

type deletionsOutput struct{ Body deletionsPage }

// heldAfter is a place in the list of held deletions.
type heldAfter struct {
	ID string `json:"id"`
}

func (s *Server) listDeletions(ctx context.Context, in *listDeletionsInput) (*deletionsOutput, error) {
	integration, run, err := s.integrationOfRun(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	sum, err := s.store.SummarizeHeld(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	out := &deletionsOutput{}
	out.Body.Summary = s.viewDeletions(callOf(ctx).lang, integration, run, sum)
	if in.Sample > 0 {
		if out.Body.Items, err = s.store.SampleHeld(ctx, run.ID, in.Sample); out.Body.Items == nil {
			out.Body.Items = []store.HeldDeletion{}
		}
		return out, err
	}
	var after heldAfter
	if err := in.read(&after); err != nil {
		return nil, err
	}
	rows, err := s.store.ListHeld(ctx, run.ID, after.ID, in.Limit+1)
	if err != nil {
		return nil, err
	}
	views := append([]store.HeldDeletion{}, rows...)
	out.Body.page, err = pageOf(in.PageQuery, rows, views, func(h store.HeldDeletion) any { return heldAfter{h.ExternalID} })
	return out, err
}

func (s *Server) viewDeletions(lang words.Lang, i store.Integration, r store.Run, sum store.HeldSummary) deletionsSummary {
	v := deletionsSummary{
		Held: sum.Held, Live: sum.Live, SampleRead: sum.Read,
		Decision: r.DeletionsDecision, DecidedBy: r.DeletionsDecidedBy, DecidedAt: r.DeletionsDecidedAt,
	}
	if sum.Held == 0 {
		return v
	}
	args := s.argsOf(i)
	args.Missing, args.Live, args.Count = &sum.Held, &sum.Live, &sum.Read
	if sum.Live > 0 {
		v.Percent = math.Round(float64(sum.Held)/float64(sum.Live)*1000) / 10
		args.Percent = &v.Percent
	}
	v.Reason = words.HeldManyMissing
	if sum.Held >= sum.Live {
		v.Reason = words.HeldAllMissing
	}
	v.Sentence = words.Held(lang, v.Reason, args)
	if sum.Read > 0 {
		v.SampleSentence = words.Held(lang, words.HeldSampleGone, args)
	}
	return v
}

// decisionView is what a decision has done.
type decisionView struct {
	Run     runView `json:"run"`
	Deleted int64   `json:"deleted" doc:"Contacts that are marked as deleted now."`
	Kept    int64   `json:"kept" doc:"Contacts that stay."`
}

type decisionOutput struct{ Body decisionView }

func (s *Server) confirmDeletions(ctx context.Context, in *runActInput) (*decisionOutput, error) {
	return s.decideDeletions(ctx, in, s.jobs.ConfirmDeletions)
}

func (s *Server) discardDeletions(ctx context.Context, in *runActInput) (*decisionOutput, error) {
	return s.decideDeletions(ctx, in, s.jobs.DiscardDeletions)
}

func (s *Server) decideDeletions(
	ctx context.Context, in *runActInput, decide func(ctx context.Context, tenant *uuid.UUID, run uuid.UUID, by string) (store.Run, int64, error),
) (*decisionOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	p := callOf(ctx).principal
	v, err := onceBeside(ctx, s, in.IdempotencyKey, func(ctx context.Context) (v decisionView, err error) {
		run, deleted, err := decide(ctx, p.scope(), id, p.Actor)
		if err != nil {
			return v, err
		}
		v.Deleted, v.Kept = deleted, value(run.DeletionsHeld)-deleted
		v.Run, err = s.viewOneRun(ctx, run)
		return v, err
	})
	return &decisionOutput{v}, err
}
