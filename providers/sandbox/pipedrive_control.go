package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Settings returns the settings as they are.
func (p *Pipedrive) Settings() PipedriveSettings { return p.current() }

// Configure changes settings; change gets the current ones. What makes no sense
// is refused and changes nothing.
func (p *Pipedrive) Configure(change func(*PipedriveSettings)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.settings
	change(&next)
	if err := p.checkSettings(next); err != nil {
		return err
	}
	p.settings = next
	p.site.setPace(time.Duration(next.LatencyMS)*time.Millisecond, next.HideDate)
	p.outbox.configure(next.WebhookSettings)
	return nil
}

func (p *Pipedrive) checkSettings(s PipedriveSettings) error {
	switch {
	case s.LatencyMS < 0, s.PageLimit < 0, s.Burst < 0, s.Visible < 0:
		return errors.New("latency_ms, page_limit, burst and visible must not be negative")
	case s.TokenLifeSeconds < 1:
		return errors.New("token_life_seconds must be at least 1")
	case p.company(s.ConsentCompany) == nil || s.ConsentCompany == 0:
		return fmt.Errorf("consent_company %d does not exist", s.ConsentCompany)
	case s.LastPage != LastPageNull && s.LastPage != LastPageAbsent && s.LastPage != LastPageBare:
		return fmt.Errorf("last_page %q must be null, absent or bare", s.LastPage)
	}
	return s.check()
}

// SetBudget gives every company n tokens until midnight UTC and n a day from
// then on; Unlimited switches the daily limit off.
func (p *Pipedrive) SetBudget(n int) { p.setBudget(max(n, Unlimited)) }

// BudgetLeft is what a company may still spend today.
func (p *Pipedrive) BudgetLeft(company int) int { return p.budgetLeft(company) }

// Companies lists the companies that can be connected.
func (p *Pipedrive) Companies() []Company {
	list := make([]Company, 0, len(p.companies))
	for _, c := range p.companies {
		p.mu.Lock()
		item := Company{ID: c.id, UserID: c.user, Name: c.name, Domain: c.domain}
		p.mu.Unlock()
		item.Contacts = c.persons.living()
		list = append(list, item)
	}
	return list
}

// SetContacts gives a company n newly generated persons and forgets its changed
// ones. Nothing happens if n live there already.
func (p *Pipedrive) SetContacts(company, n int) error {
	c, err := p.companyOf(company)
	if err != nil {
		return err
	}
	if n < 0 {
		return errors.New("contacts must not be negative")
	}
	if c.persons.living() != n {
		c.persons.renew(n, p.sandbox.Now())
	}
	return nil
}

// Mutate creates, updates and deletes persons of a company, stamped now. As with
// all changes but a purge and SetContacts, subscriptions are told.
func (p *Pipedrive) Mutate(company int, m Mutation) (Mutated, error) {
	c, err := p.companyOf(company)
	if err != nil {
		return Mutated{}, err
	}
	return c.persons.mutate(m, p.sandbox.Now(), p.current().DeleteMovesTime)
}

// Put stores a person that a test wrote, as JSON in the form of the API. Its id,
// add_time, update_time and is_deleted are read from it.
func (p *Pipedrive) Put(company int, person string) error {
	c, err := p.companyOf(company)
	if err != nil {
		return err
	}
	var fields struct {
		ID         int64      `json:"id"`
		AddTime    *time.Time `json:"add_time"`
		UpdateTime *time.Time `json:"update_time"`
		IsDeleted  bool       `json:"is_deleted"`
	}
	if err := json.Unmarshal([]byte(person), &fields); err != nil {
		return fmt.Errorf("read the person: %w", err)
	}
	if fields.ID < 1 {
		return errors.New("a person needs an id from 1")
	}
	seconds := func(at *time.Time) int64 {
		if at == nil {
			return noTime
		}
		return at.Unix()
	}
	r := record{id: fields.ID, added: seconds(fields.AddTime), updated: seconds(fields.UpdateTime), raw: []byte(person)}
	if fields.IsDeleted {
		r.deleted = p.sandbox.Now().Unix()
	}
	c.persons.put(r)
	return nil
}

// Delete soft-deletes a person; false if it does not live.
func (p *Pipedrive) Delete(company int, id int64) bool {
	at, moves := p.sandbox.Now().Unix(), p.current().DeleteMovesTime
	return p.edit(company, id, func(r *record) { r.softDelete(at, moves); r.raw = nil })
}

// Purge removes a living person without a trace, and without a webhook; false if
// it does not live.
func (p *Pipedrive) Purge(company int, id int64) bool {
	return p.edit(company, id, func(r *record) { r.purged = true })
}

// Update changes a living person, stamped now; false if it does not live.
func (p *Pipedrive) Update(company int, id int64) bool {
	at := p.sandbox.Now().Unix()
	return p.edit(company, id, func(r *record) { r.updated = at; r.raw = nil })
}

func (p *Pipedrive) edit(company int, id int64, change func(*record)) bool {
	c, err := p.companyOf(company)
	return err == nil && c.persons.edit(id, change)
}

// Rename gives a company a new domain: its old address answers 404, and the next
// token answer names the new api_domain.
func (p *Pipedrive) Rename(company int, domain string) error {
	c, err := p.companyOf(company)
	if err != nil {
		return err
	}
	if err := checkDomain(domain); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.domain, c.renamed = domain, true
	return nil
}

func checkDomain(domain string) error {
	if domain == "" || strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("domain %q must be lower-case letters, digits and hyphens", domain)
	}
	return nil
}

// Contacts lists up to limit living persons with an id above after, as JSON
// objects in the API's form: the end state to compare a copy with.
func (p *Pipedrive) Contacts(company int, after int64, limit int) ([]json.RawMessage, error) {
	c, err := p.companyOf(company)
	if err != nil {
		return nil, err
	}
	found, _ := c.living(after, limit)
	list := make([]json.RawMessage, 0, len(found))
	for _, r := range found {
		list = append(list, appendPerson(nil, c, r))
	}
	return list, nil
}

func (c *company) living(after int64, limit int) ([]record, bool) {
	return c.persons.page(walk{order: byID, after: &key{0, after}, limit: limit, keep: record.living})
}

// pipedriveStatus is the control resource.
type pipedriveStatus struct {
	Contacts int `json:"contacts"` // of the first company
	tally
	Companies       []Company `json:"companies"`
	Budget          int       `json:"budget"`
	BudgetRemaining int       `json:"budget_remaining"` // of the first company
	PipedriveSettings
	Faults        []Fault        `json:"faults"`
	AnswersLeft   int            `json:"answers_left"`
	Subscriptions []Subscription `json:"subscriptions"`
	Now           time.Time      `json:"now"`
}

func (p *Pipedrive) status() any {
	companies := p.Companies()
	p.mu.Lock()
	limit := p.budget.limit
	p.mu.Unlock()
	return pipedriveStatus{
		Contacts: companies[0].Contacts, tally: p.site.snapshot(), Companies: companies,
		Budget: limit, BudgetRemaining: p.budgetLeft(p.companies[0].id), PipedriveSettings: p.current(),
		Faults: p.site.pending(), AnswersLeft: p.site.answersLeft(), Subscriptions: p.Subscriptions(), Now: p.sandbox.Now(),
	}
}

// pipedrivePatch is what PATCH takes: settings, and things that are done once.
type pipedrivePatch struct {
	PipedriveSettings
	steps
	// Company is whose Contacts and CompanyDomain are meant; without it Contacts
	// counts for every company.
	Company       *int    `json:"company"`
	CompanyDomain *string `json:"company_domain"`
}

// patch does all of what body says, or nothing.
func (p *Pipedrive) patch(body []byte) error {
	p.patching.Lock()
	defer p.patching.Unlock()
	patch := pipedrivePatch{PipedriveSettings: p.current()}
	if err := decodeStrict(body, &patch); err != nil {
		return err
	}
	if err := p.checkPatch(patch); err != nil {
		return err
	}
	if err := p.Configure(func(s *PipedriveSettings) { *s = patch.PipedriveSettings }); err != nil {
		return err
	}
	return p.apply(patch)
}

// checkPatch refuses a patch before any part of it is done.
func (p *Pipedrive) checkPatch(patch pipedrivePatch) error {
	if patch.Company != nil {
		if _, err := p.companyOf(*patch.Company); err != nil {
			return err
		}
	}
	if patch.CompanyDomain != nil {
		if err := checkDomain(*patch.CompanyDomain); err != nil {
			return err
		}
	}
	return patch.refuse(p.site)
}

func (p *Pipedrive) apply(patch pipedrivePatch) error {
	if patch.AdvanceSeconds != nil {
		p.sandbox.Advance(time.Duration(*patch.AdvanceSeconds) * time.Second)
	}
	if patch.ClientSecret != nil {
		id, _ := p.auth.client()
		p.SetClient(id, *patch.ClientSecret)
	}
	if patch.Budget != nil {
		p.SetBudget(*patch.Budget)
	}
	if patch.Contacts != nil {
		for _, c := range p.companies {
			if patch.Company == nil || *patch.Company == c.id {
				if err := p.SetContacts(c.id, *patch.Contacts); err != nil {
					return err
				}
			}
		}
	}
	if patch.Faults != nil {
		if err := p.Faults(*patch.Faults...); err != nil {
			return err
		}
	}
	if patch.Answers != nil {
		p.site.setAnswers(*patch.Answers)
	}
	if patch.CompanyDomain != nil {
		company := DefaultCompany
		if patch.Company != nil {
			company = *patch.Company
		}
		return p.Rename(company, *patch.CompanyDomain)
	}
	return nil
}

func (p *Pipedrive) actions() map[string]action {
	return map[string]action{
		"mutate": actionOf(func(asked struct {
			Mutation
			Company int `json:"company"`
		},
		) (any, error) {
			return p.Mutate(asked.Company, asked.Mutation)
		}),
		"revoke": actionOf(func(asked struct {
			Company int `json:"company"`
		},
		) (any, error) {
			return map[string]int{"revoked": p.Revoke(asked.Company)}, nil
		}),
		"expire": actionOf(func(struct{}) (any, error) {
			p.ExpireAccessTokens()
			return map[string]bool{"expired": true}, nil
		}),
		"uninstall": p.uninstallAction,
		"merge":     actionOf(p.mergeAction),
		"replay":    p.outbox.replayAction,
		"reset": actionOf(func(struct{}) (any, error) {
			p.ResetCounters()
			return p.status(), nil
		}),
	}
}

func (p *Pipedrive) uninstallAction(ctx context.Context, body []byte) (any, error) {
	var asked struct {
		Company     int    `json:"company"`
		CallbackURL string `json:"callback_url"`
	}
	if err := decodeStrict(body, &asked); err != nil {
		return nil, err
	}
	status, err := p.Uninstall(ctx, asked.Company, asked.CallbackURL)
	if err != nil {
		return nil, err
	}
	return map[string]int{"status": status}, nil
}

// contacts is the control's list: items, and next_cursor to come back with as
// after.
func (p *Pipedrive) contacts(company int, after int64, limit int) ([]byte, error) {
	c, err := p.companyOf(company)
	if err != nil {
		return nil, err
	}
	found, more := c.living(after, limit)
	body := append(make([]byte, 0, 1024*(len(found)+1)), `{"items":[`...)
	for i, r := range found {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendPerson(body, c, r)
	}
	body = append(body, `],"next_cursor":`...)
	if !more {
		return append(body, "null}"...), nil
	}
	return fmt.Appendf(body, `"%d"}`, found[len(found)-1].id), nil
}
