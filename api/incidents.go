package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

func (s *Server) mountIncidents() error {
	return handle(s, operation{
		method: http.MethodGet, path: "/v1/incidents", access: accessTenant, id: "list-incidents", tag: "Incidents",
		summary: "List causes of trouble, newest first", description: "One is open per integration and cause. It closes itself when the cause is gone.",
	}, s.listIncidents)
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
	Sentence      string         `json:"sentence"`
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
	var open *bool
	if in.Open != "" {
		only := in.Open == "true"
		open = &only
	}
	c := callOf(ctx)
	rows, err := s.store.ListIncidents(ctx, c.principal.scope(), integration, open, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, 0, len(rows))
	for _, n := range rows {
		ids = append(ids, n.IntegrationID)
	}
	integrations, err := s.store.IntegrationsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	views := make([]incidentView, 0, len(rows))
	for _, n := range rows {
		views = append(views, s.viewIncident(c.lang, n, integrations[n.IntegrationID]))
	}
	p, err := pageOf(in.PageQuery, rows, views, func(n store.Incident) any { return store.After{At: n.OpenedAt, ID: n.ID} })
	return &incidentsOutput{p}, err
}

// incidentNumbers are the numbers that an incident keeps for its sentence.
type incidentNumbers struct {
	N       *int64 `json:"n"`
	Count   *int64 `json:"count"`
	Live    *int64 `json:"live"`
	Missing *int64 `json:"missing"`
	Name    string `json:"name"`
}

func (s *Server) viewIncident(lang words.Lang, n store.Incident, i store.Integration) incidentView {
	var numbers incidentNumbers
	_ = json.Unmarshal(n.Args, &numbers) // what an older program kept in another form is left out of the sentence
	args := s.argsOf(i)
	args.Detail, args.Name = value(n.Detail), numbers.Name
	args.N, args.Count, args.Live, args.Missing = numbers.N, numbers.Count, numbers.Live, numbers.Missing
	if args.N == nil {
		args.N = numbers.Missing
	}
	args.At = value(i.NextSyncAt)
	args.Schedule = i.Schedule
	code := words.Code(n.Code)
	facts := words.FactsOf(code, value(n.Variant))
	text := words.Render(lang, code, value(n.Variant), args)
	v := incidentView{
		Incident: n, ProviderTitle: s.providerTitle(i.Provider), AccountName: i.ExternalAccountName,
		Severity: facts.Severity, Who: facts.Who, Title: text.Title, Sentence: text.Sentence, Buttons: text.Buttons,
	}
	if v.Buttons == nil {
		v.Buttons = []string{}
	}
	return v
}
