package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

func (s *Server) mountIncidents() error {
	const tag = "Incidents"
	return errors.Join(
		handle(s, operation{
			method: http.MethodGet, path: "/v1/incidents", access: accessTenant, id: "list-incidents", tag: tag,
			summary: "List causes of trouble, newest first", description: "One is open per integration and cause. It closes itself when the cause is gone.",
		}, s.listIncidents),
		handle(s, operation{
			method: http.MethodGet, path: "/v1/incidents/{id}", access: accessTenant, id: "read-incident", tag: tag, summary: "Read an incident",
		}, s.readIncident),
	)
}

type listIncidentsInput struct {
	PageQuery

	IntegrationID string `query:"integration_id" doc:"Only of this integration."`
	Open          string `query:"open" enum:"true,false" doc:"Only open ones, or only closed ones."`
}

// incidentView is an incident in words.
type incidentView struct {
	store.Incident

	ProviderTitle string         `json:"provider_title"`
	AccountName   *string        `json:"external_account_name"`
	Severity      words.Severity `json:"severity" enum:"info,wait,act,fault"`
	Who           words.Actor    `json:"who" enum:"we,tenant,operator,nobody" doc:"Who ends it."`
	Title         string         `json:"title"`
	Sentence      string         `json:"sentence" doc:"What happened."`
	Since         string         `json:"since" doc:"When it began, and as of when the data is fresh."`
	WhatToDo      string         `json:"what_to_do" doc:"For the caller; of a closed one, how long it lasted."`
	Link          string         `json:"link" format:"uri" doc:"Where to do it: the dashboard with enlace_incident, integration_id and, where a run is concerned, run_id."`
	Buttons       []string       `json:"buttons" nullable:"false"`
}

type incidentsOutput struct{ Body page[incidentView] }

func (s *Server) listIncidents(ctx context.Context, in *listIncidentsInput) (*incidentsOutput, error) {
	integration, err := queryID("integration_id", in.IntegrationID)
	if err != nil {
		return nil, err
	}
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	rows, err := s.store.ListIncidents(ctx, callOf(ctx).principal.scope(), integration, isOpen(in.Open), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	views, err := s.viewIncidents(ctx, rows)
	if err != nil {
		return nil, err
	}
	p, err := pageOf(in.PageQuery, rows, views, func(n store.Incident) any { return store.After{At: n.OpenedAt, ID: n.ID} })
	return &incidentsOutput{p}, err
}

type incidentInput struct {
	ID string `path:"id"`
}

type incidentOutput struct{ Body incidentView }

func (s *Server) readIncident(ctx context.Context, in *incidentInput) (*incidentOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	n, err := s.store.Incident(ctx, callOf(ctx).principal.scope(), id)
	if err != nil {
		return nil, err
	}
	views, err := s.viewIncidents(ctx, []store.Incident{n})
	if err != nil {
		return nil, err
	}
	return &incidentOutput{views[0]}, nil
}

// viewIncidents words incidents, with what their integrations and runs add.
func (s *Server) viewIncidents(ctx context.Context, rows []store.Incident) ([]incidentView, error) {
	ids := make([]uuid.UUID, 0, len(rows))
	for _, n := range rows {
		ids = append(ids, n.IntegrationID)
	}
	integrations, err := s.store.IntegrationsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	runs, err := s.store.LastRuns(ctx, ids)
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	var affected map[store.Cause]int64
	if c.principal.Admin {
		if affected, err = s.store.CountCauses(ctx); err != nil {
			return nil, err
		}
	}
	views := make([]incidentView, 0, len(rows))
	for _, n := range rows {
		i := integrations[n.IntegrationID]
		v := s.viewIncident(c.lang, n, i, runs[n.IntegrationID])
		v.WhatToDo = s.whatToDo(c, v, affected[store.Cause{Provider: i.Provider, Code: n.Code}])
		views = append(views, v)
	}
	return views, nil
}

// incidentNumbers are the numbers that an incident keeps for its sentence.
type incidentNumbers struct {
	N       *int64 `json:"n"`
	Count   *int64 `json:"count"`
	Live    *int64 `json:"live"`
	Missing *int64 `json:"missing"`
	Name    string `json:"name"`
}

func (s *Server) viewIncident(lang words.Lang, n store.Incident, i store.Integration, r store.Run) incidentView {
	var numbers incidentNumbers
	_ = json.Unmarshal(n.Args, &numbers) // what an older program kept in another form is left out of the sentence
	args := s.argsOf(i)
	args.Detail, args.Name = value(n.Detail), numbers.Name
	args.N, args.Count, args.Live, args.Missing = numbers.N, numbers.Count, numbers.Live, numbers.Missing
	if args.N == nil {
		args.N = numbers.Missing
	}
	args.At = value(i.NextSyncAt)
	if r.Active() && r.WaitingUntil != nil { // what goes on by itself goes on then
		args.At = *r.WaitingUntil
	}
	args.Schedule = i.Schedule
	code := words.Code(n.Code)
	facts := words.FactsOf(code, value(n.Variant))
	text := words.Render(lang, code, value(n.Variant), args)
	v := incidentView{
		Incident: n, ProviderTitle: s.providerTitle(i.Provider), AccountName: i.ExternalAccountName,
		Severity: facts.Severity, Who: facts.Who, Title: text.Title, Sentence: text.Sentence, Buttons: text.Buttons, Link: s.linkTo(n),
	}
	began := s.argsOf(i)
	began.At, began.AsOf = n.OpenedAt, value(later(i.Watermark, i.WindowEnd))
	v.Since = words.IncidentPart(lang, words.IncidentLine2, began)
	if v.Buttons == nil {
		v.Buttons = []string{}
	}
	return v
}

// linkTo is where a person acts on an incident.
func (s *Server) linkTo(n store.Incident) string {
	target := *s.dashboardURL
	if target.Path == "" {
		target.Path = "/"
	}
	query := target.Query()
	query.Set("enlace_incident", n.ID.String())
	query.Set("integration_id", n.IntegrationID.String())
	if n.RunID != nil {
		query.Set("run_id", n.RunID.String())
	}
	target.RawQuery = query.Encode()
	return target.String()
}

// whatToDo tells the caller: an operator mends what is ours, and a tenant has nothing to do about it.
func (s *Server) whatToDo(c *call, v incidentView, affected int64) string {
	args := words.Args{Now: s.opts.Now(), Link: v.Link, Detail: value(v.Detail)}
	part := words.IncidentLine3Wait
	switch {
	case v.ClosedAt != nil:
		part, args.Duration = words.IncidentBodyClosedUnknown, max(v.ClosedAt.Sub(v.OpenedAt), time.Second)
	case v.Severity == words.SeverityAct && len(v.Buttons) > 0:
		part, args.Button = words.IncidentLine3Act, v.Buttons[0]
	case v.Severity == words.SeverityFault && c.principal.Admin:
		part, args.N = words.IncidentLine3Fault, &affected
		args.Hint = words.Render(c.lang, words.Code(v.Code), value(v.Variant), args).Operators
	}
	return words.IncidentPart(c.lang, part, args)
}
