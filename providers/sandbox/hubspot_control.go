package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Settings returns the settings as they are.
func (h *HubSpot) Settings() HubSpotSettings { return h.current() }

// Configure changes settings; change gets the current ones. What makes no sense
// is refused and changes nothing.
func (h *HubSpot) Configure(change func(*HubSpotSettings)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := h.settings
	change(&next)
	if err := h.checkSettings(next); err != nil {
		return err
	}
	h.settings = next
	h.site.setPace(time.Duration(next.LatencyMS)*time.Millisecond, next.HideDate)
	h.outbox.configure(next.WebhookSettings)
	for _, p := range h.portals {
		p.index.setLag(time.Duration(next.IndexLagMS) * time.Millisecond)
	}
	return nil
}

func (h *HubSpot) checkSettings(s HubSpotSettings) error {
	for _, number := range []struct {
		name  string
		value int
	}{
		{"latency_ms", s.LatencyMS},
		{"page_limit", s.PageLimit},
		{"burst", s.Burst},
		{"search_burst", s.SearchBurst},
		{"retry_after", s.RetryAfter},
		{"index_lag_ms", s.IndexLagMS},
	} {
		if number.value < 0 {
			return fmt.Errorf("%s must not be negative", number.name)
		}
	}
	for _, choice := range []struct {
		name, value string
		of          []string
	}{
		{"token_errors", s.TokenErrors, []string{TokenErrorsByPath, TokenErrorsStatus, TokenErrorsOAuth, TokenErrorsHTML}},
		{"lost_id", s.LostID, []string{LostIDSurvivor, LostIDGone}},
		{"batch_missing", s.BatchMissing, []string{BatchMissingErrors, BatchMissingSilent}},
		{"unknown_filter", s.UnknownFilter, []string{UnknownFilterError, UnknownFilterNothing}},
	} {
		if !slices.Contains(choice.of, choice.value) {
			return fmt.Errorf("%s %q must be one of %s", choice.name, choice.value, strings.Join(choice.of, ", "))
		}
	}
	if target, err := url.Parse(s.WebhookTarget); s.WebhookTarget != "" && (err != nil || target.Host == "") {
		return fmt.Errorf("webhook_target %q must be an address such as https://app.example.com/webhooks/hubspot", s.WebhookTarget)
	}
	if err := s.check(); err != nil {
		return err
	}
	switch {
	case s.TokenLifeSeconds < 1:
		return errors.New("token_life_seconds must be at least 1")
	case h.portal(s.ConsentPortal) == nil || s.ConsentPortal == 0:
		return fmt.Errorf("consent_portal %d does not exist", s.ConsentPortal)
	}
	return nil
}

// Portals lists the accounts that can be connected.
func (h *HubSpot) Portals() []Portal {
	list := make([]Portal, 0, len(h.portals))
	for _, p := range h.portals {
		list = append(list, Portal{
			ID: p.id, UserID: p.user, Name: p.name, Domain: p.domain, TimeZone: p.zone.String(), Contacts: p.contacts.living(),
		})
	}
	return list
}

// Contacts lists up to limit living contacts with an id above after, as JSON
// objects in the API's form with all their properties: the end state to compare a
// copy with.
func (h *HubSpot) Contacts(portal int, after int64, limit int) ([]json.RawMessage, error) {
	list, _, err := h.endState(portal, after, limit)
	return list, err
}

// endState is a page of living contacts and the id to go on after, or 0.
func (h *HubSpot) endState(portal int, after int64, limit int) (list []json.RawMessage, next int64, err error) {
	p, err := h.portalOf(portal)
	if err != nil {
		return nil, 0, err
	}
	found, more := p.contacts.page(walk{order: byID, after: &key{0, hubspotNumber(max(after, 0))}, limit: limit, keep: record.living})
	list = make([]json.RawMessage, 0, len(found))
	for _, r := range found {
		text, err := json.Marshal(p.object(r))
		if err != nil {
			return nil, 0, fmt.Errorf("write contact %d: %w", hubspotID(r.id), err)
		}
		list = append(list, text)
	}
	if more {
		next = hubspotID(found[len(found)-1].id)
	}
	return list, next, nil
}

// contacts is the control's list: items, and next_cursor to come back with as
// after.
func (h *HubSpot) contacts(portal int, after int64, limit int) ([]byte, error) {
	items, next, err := h.endState(portal, after, limit)
	if err != nil {
		return nil, err
	}
	page := struct {
		Items      []json.RawMessage `json:"items"`
		NextCursor *string           `json:"next_cursor"`
	}{Items: items}
	if next != 0 {
		text := fmt.Sprint(next)
		page.NextCursor = &text
	}
	return json.Marshal(page)
}

// hubspotStatus is the control resource.
type hubspotStatus struct {
	Contacts int `json:"contacts"` // of the first portal
	tally
	Portals         []Portal `json:"portals"`
	Budget          int      `json:"budget"`
	BudgetRemaining int      `json:"budget_remaining"` // of the first portal
	HubSpotSettings
	Faults      []Fault   `json:"faults"`
	AnswersLeft int       `json:"answers_left"`
	Now         time.Time `json:"now"`
}

func (h *HubSpot) status() any {
	portals := h.Portals()
	h.mu.Lock()
	limit := h.budget.limit
	h.mu.Unlock()
	return hubspotStatus{
		Contacts: portals[0].Contacts, tally: h.site.snapshot(), Portals: portals,
		Budget: limit, BudgetRemaining: h.budgetLeft(h.portals[0]), HubSpotSettings: h.current(),
		Faults: h.site.pending(), AnswersLeft: h.site.answersLeft(), Now: h.sandbox.Now(),
	}
}

// hubspotPatch is what PATCH takes: settings, and things that are done once.
type hubspotPatch struct {
	HubSpotSettings
	steps
	// Portal is whose Contacts are meant; without it they count for every portal.
	Portal *int `json:"portal"`
}

// patch does all of what body says, or nothing.
func (h *HubSpot) patch(body []byte) error {
	h.patching.Lock()
	defer h.patching.Unlock()
	patch := hubspotPatch{HubSpotSettings: h.current()}
	if err := decodeStrict(body, &patch); err != nil {
		return err
	}
	if err := h.checkPatch(patch); err != nil {
		return err
	}
	if err := h.Configure(func(s *HubSpotSettings) { *s = patch.HubSpotSettings }); err != nil {
		return err
	}
	return h.apply(patch)
}

// checkPatch refuses a patch before any part of it is done.
func (h *HubSpot) checkPatch(patch hubspotPatch) error {
	if patch.Portal != nil {
		if _, err := h.portalOf(*patch.Portal); err != nil {
			return err
		}
	}
	return patch.refuse(h.site)
}

func (h *HubSpot) apply(patch hubspotPatch) error {
	if patch.AdvanceSeconds != nil {
		h.sandbox.Advance(time.Duration(*patch.AdvanceSeconds) * time.Second)
	}
	if patch.ClientSecret != nil {
		id, _ := h.auth.client()
		h.SetClient(id, *patch.ClientSecret)
	}
	if patch.Budget != nil {
		h.SetBudget(*patch.Budget)
	}
	if patch.Contacts != nil {
		for _, p := range h.portals {
			if patch.Portal == nil || *patch.Portal == p.id || *patch.Portal == 0 {
				if err := h.SetContacts(p.id, *patch.Contacts); err != nil {
					return err
				}
			}
		}
	}
	if patch.Answers != nil {
		h.site.setAnswers(*patch.Answers)
	}
	if patch.Faults != nil {
		return h.Faults(*patch.Faults...)
	}
	return nil
}

func (h *HubSpot) actions() map[string]action {
	return map[string]action{
		"mutate": actionOf(func(asked struct {
			Mutation
			Portal int `json:"portal"`
		},
		) (any, error) {
			return h.Mutate(asked.Portal, asked.Mutation)
		}),
		"merge": actionOf(func(asked struct {
			Portal  int   `json:"portal"`
			Primary int64 `json:"primary"`
			Other   int64 `json:"other"`
		},
		) (any, error) {
			return h.Merge(asked.Portal, asked.Primary, asked.Other)
		}),
		"restore": actionOf(func(asked contactsOfPortal) (any, error) {
			restored, err := h.Restore(asked.Portal, asked.IDs...)
			return map[string][]int64{"restored": restored}, err
		}),
		"erase": actionOf(func(asked contactsOfPortal) (any, error) {
			erased := []int64{}
			for _, id := range asked.IDs {
				if h.Erase(asked.Portal, id) {
					erased = append(erased, id)
				}
			}
			return map[string][]int64{"erased": erased}, nil
		}),
		"revoke": actionOf(func(asked struct {
			Portal int `json:"portal"`
		},
		) (any, error) {
			return map[string]int{"revoked": h.Revoke(asked.Portal)}, nil
		}),
		"expire": actionOf(func(struct{}) (any, error) {
			h.ExpireAccessTokens()
			return map[string]bool{"expired": true}, nil
		}),
		"replay": h.outbox.replayAction,
		"reset": actionOf(func(struct{}) (any, error) {
			h.ResetCounters()
			return h.status(), nil
		}),
	}
}

// contactsOfPortal names contacts in the control's actions.
type contactsOfPortal struct {
	Portal int     `json:"portal"`
	IDs    []int64 `json:"ids"`
}
