package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ResetCounters forgets calls, log and what each path cost; settings, records and
// the credits left stay.
func (z *Zoho) ResetCounters() {
	z.site.resetCounters()
	z.mu.Lock()
	defer z.mu.Unlock()
	clear(z.credits.byPath)
	for _, o := range z.orgs {
		o.inFlightMax = o.inFlight
	}
}

// Orgs lists the organisations that can be connected.
func (z *Zoho) Orgs() []ZohoOrg {
	list := make([]ZohoOrg, 0, len(z.orgs))
	for _, o := range z.orgs {
		used, _ := z.creditsOf(o)
		item := ZohoOrg{ID: o.zgid, UserID: o.userID(), Name: o.name, DC: o.dc, Contacts: o.contacts.living(), CreditsUsed: used}
		z.mu.Lock()
		item.InFlightMax = o.inFlightMax
		z.mu.Unlock()
		list = append(list, item)
	}
	return list
}

// ContactID is the id of the n-th contact of an org, from 1; 0 is the first org,
// and one that does not exist has "".
func (z *Zoho) ContactID(org int, n int64) string {
	o, err := z.org(org)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(o.recordID(n), 10)
}

// SetContacts gives an org n newly generated contacts and forgets its changed
// ones. Nothing happens if n live there already.
func (z *Zoho) SetContacts(org, n int) error {
	o, err := z.org(org)
	if err != nil {
		return err
	}
	if n < 0 {
		return errors.New("contacts must not be negative")
	}
	if o.contacts.living() != n {
		o.contacts.renew(n, z.sandbox.Now())
	}
	return nil
}

// ZohoMutated lists the ids that a mutation touched, and when.
type ZohoMutated struct {
	At      time.Time `json:"at"`
	Created []string  `json:"created"`
	Updated []string  `json:"updated"`
	Deleted []string  `json:"deleted"`
	Purged  []string  `json:"purged"`
}

// What a change is called in a channel's events.
const (
	changeCreate = "create"
	changeEdit   = "edit"
	changeDelete = "delete"
)

// Mutate creates, updates and deletes contacts of an org, stamped now. Deleted
// ones go to the recycle bin, purged ones are listed as deleted for ever.
func (z *Zoho) Mutate(org int, m Mutation) (ZohoMutated, error) {
	o, err := z.org(org)
	if err != nil {
		return ZohoMutated{}, err
	}
	done, err := o.contacts.mutate(m, z.sandbox.Now(), false)
	if err != nil {
		return ZohoMutated{}, err
	}
	touched := ZohoMutated{
		At: done.At, Created: o.ids(done.Created), Updated: o.ids(done.Updated), Deleted: o.ids(done.Deleted), Purged: o.ids(done.Purged),
	}
	z.changed(o, changeCreate, touched.Created)
	z.changed(o, changeEdit, touched.Updated)
	z.changed(o, changeDelete, touched.Deleted)
	z.changed(o, changeDelete, touched.Purged)
	return touched, nil
}

func (o *zohoOrg) ids(numbers []int64) []string {
	ids := make([]string, len(numbers))
	for i, n := range numbers {
		ids[i] = strconv.FormatInt(o.recordID(n), 10)
	}
	return ids
}

// Put stores a contact that a test wrote, as JSON in the form of the list. Its
// id, Created_Time and Modified_Time are read from it.
func (z *Zoho) Put(org int, contact string) error {
	o, err := z.org(org)
	if err != nil {
		return err
	}
	r, err := o.putContact(contact, z.current())
	if err != nil {
		return err
	}
	operation := changeCreate
	if old, ok := o.contacts.read(r.id); ok && old.living() {
		operation = changeEdit
	}
	o.contacts.put(r)
	z.changed(o, operation, o.ids([]int64{r.id}))
	return nil
}

// Update changes a living contact, stamped now; false if it does not live.
func (z *Zoho) Update(org int, id string) bool {
	at := z.sandbox.Now().Unix()
	return z.edit(org, id, changeEdit, func(r *record) { r.updated = at; r.raw = nil })
}

// Recalculate changes a living contact's formula and address without moving its
// Modified_Time, as roll-ups do; false if it does not live.
// [bug: estuary/connectors#3655]
func (z *Zoho) Recalculate(org int, id string) bool {
	return z.edit(org, id, changeEdit, func(*record) {})
}

// Delete moves a living contact to the recycle bin; false if it does not live.
func (z *Zoho) Delete(org int, id string) bool {
	at := z.sandbox.Now().Unix()
	return z.edit(org, id, changeDelete, func(r *record) { r.softDelete(at, false) })
}

func (z *Zoho) edit(org int, id, operation string, change func(*record)) bool {
	o, err := z.org(org)
	if err != nil || !o.contacts.edit(o.numberOf(id), change) {
		return false
	}
	z.changed(o, operation, []string{id})
	return true
}

// Purge deletes a contact for ever, one that lives or one in the recycle bin;
// false if there is none. One from the bin keeps its time.
func (z *Zoho) Purge(org int, id string) bool {
	o, err := z.org(org)
	if err != nil {
		return false
	}
	found, ok := o.contacts.read(o.numberOf(id))
	if !ok || !o.contacts.purge(found.id, z.sandbox.Now().Unix()) {
		return false
	}
	if found.living() {
		z.changed(o, changeDelete, []string{id})
	}
	return true
}

// Restore takes a contact back from the recycle bin, with its old Modified_Time
// unless RestoreMovesTime is set; false if it is not there.
func (z *Zoho) Restore(org int, id string) bool {
	o, err := z.org(org)
	if err != nil {
		return false
	}
	now, moves := z.sandbox.Now(), z.current().RestoreMovesTime
	found, ok := o.contacts.read(o.numberOf(id))
	if !ok || deletionOf(found, now) != deletedRecycle {
		return false
	}
	restored := o.contacts.restore(found.id, func(r *record) {
		if moves {
			r.updated = now.Unix()
		}
	})
	if restored {
		z.changed(o, changeCreate, []string{id})
	}
	return restored
}

// Merge makes one contact of two: the winner changes, the loser is deleted. That
// it goes to the recycle bin is a guess. [?]
func (z *Zoho) Merge(org int, winner, loser string) error {
	o, err := z.org(org)
	if err != nil {
		return err
	}
	for _, id := range []string{winner, loser} {
		if found, ok := o.contacts.read(o.numberOf(id)); !ok || !found.living() || winner == loser {
			return fmt.Errorf("winner %s and loser %s must be two living contacts of org %d", winner, loser, o.zgid)
		}
	}
	z.Update(org, winner)
	z.Delete(org, loser)
	return nil
}

// Contacts lists up to limit living contacts with an id above after, as JSON
// objects in the API's form with all fields: the end state to compare a copy
// with.
func (z *Zoho) Contacts(org int, after string, limit int) ([]json.RawMessage, error) {
	o, err := z.org(org)
	if err != nil {
		return nil, err
	}
	found, _ := o.living(o.numberOf(after), limit)
	list := make([]json.RawMessage, 0, len(found))
	var view contactView
	fields := z.current().fields()
	for _, r := range found {
		list = append(list, view.appendContact(nil, o, r, fields))
	}
	return list, nil
}

// living looks at the records themselves, also where lists are late.
func (o *zohoOrg) living(after int64, limit int) ([]record, bool) {
	return o.contacts.current(walk{order: byID, after: &key{0, after}, limit: limit, keep: record.living})
}

// zohoStatus is the control resource.
type zohoStatus struct {
	Contacts int `json:"contacts"` // of the first org
	tally
	Orgs            []ZohoOrg      `json:"orgs"`
	Budget          int            `json:"budget"`
	BudgetRemaining int            `json:"budget_remaining"` // of the first org
	CreditsUsed     int            `json:"credits_used"`     // of the first org, in the last 24 hours
	CreditsByPath   map[string]int `json:"credits_by_path"`
	Channels        []ZohoChannel  `json:"channels"` // living ones, of all orgs
	BulkJobs        int            `json:"bulk_jobs"`
	ZohoSettings
	Faults      []Fault   `json:"faults"`
	AnswersLeft int       `json:"answers_left"`
	Now         time.Time `json:"now"`
}

func (z *Zoho) status() any {
	orgs := z.Orgs()
	used, limit := z.creditsOf(z.orgs[0])
	left := Unlimited
	if limit != Unlimited {
		left = limit - used
	}
	return zohoStatus{
		Contacts: orgs[0].Contacts, tally: z.site.snapshot(), Orgs: orgs, Budget: limit, BudgetRemaining: left,
		CreditsUsed: used, CreditsByPath: z.creditsByPath(), Channels: z.Channels(),
		BulkJobs: z.bulkJobCount(), ZohoSettings: z.current(),
		Faults: z.site.pending(), AnswersLeft: z.site.answersLeft(), Now: z.sandbox.Now(),
	}
}

// zohoPatch is what PATCH takes: settings, and things that are done once.
type zohoPatch struct {
	ZohoSettings
	steps
	// Org is whose Contacts are meant; without it they count for every org.
	Org           *int              `json:"org"`
	ClientSecrets map[string]string `json:"client_secrets"` // by data centre
}

// patch does all of what body says, or nothing.
func (z *Zoho) patch(body []byte) error {
	z.patching.Lock()
	defer z.patching.Unlock()
	patch := zohoPatch{ZohoSettings: z.current()}
	if err := decodeStrict(body, &patch); err != nil {
		return err
	}
	if err := z.checkPatch(patch); err != nil {
		return err
	}
	if err := z.Configure(func(s *ZohoSettings) { *s = patch.ZohoSettings }); err != nil {
		return err
	}
	return z.apply(patch)
}

// checkPatch refuses a patch before any part of it is done.
func (z *Zoho) checkPatch(patch zohoPatch) error {
	if patch.Org != nil {
		if _, err := z.org(*patch.Org); err != nil {
			return err
		}
	}
	for dc := range patch.ClientSecrets {
		if err := checkDC(dc); err != nil {
			return err
		}
	}
	return patch.refuse(z.site)
}

func (z *Zoho) apply(patch zohoPatch) error {
	if patch.AdvanceSeconds != nil {
		z.sandbox.Advance(time.Duration(*patch.AdvanceSeconds) * time.Second)
	}
	if patch.ClientSecret != nil {
		z.SetClient(z.auth.client(), *patch.ClientSecret)
	}
	for dc, secret := range patch.ClientSecrets {
		if err := z.SetSecret(dc, secret); err != nil {
			return err
		}
	}
	if patch.Budget != nil {
		z.SetBudget(*patch.Budget)
	}
	if patch.Contacts != nil {
		for _, o := range z.orgs {
			if patch.Org == nil || *patch.Org == o.zgid {
				if err := z.SetContacts(o.zgid, *patch.Contacts); err != nil {
					return err
				}
			}
		}
	}
	if patch.Answers != nil {
		z.site.setAnswers(*patch.Answers)
	}
	if patch.Faults != nil {
		return z.Faults(*patch.Faults...)
	}
	return nil
}

func (z *Zoho) actions() map[string]action {
	return map[string]action{
		"mutate": actionOf(func(asked struct {
			Mutation
			Org int `json:"org"`
		},
		) (any, error) {
			return z.Mutate(asked.Org, asked.Mutation)
		}),
		"revoke": actionOf(func(asked struct {
			Org int `json:"org"`
		},
		) (any, error) {
			if _, err := z.org(asked.Org); err != nil {
				return nil, err
			}
			return map[string]int{"revoked": z.Revoke(asked.Org)}, nil
		}),
		"expire": actionOf(func(struct{}) (any, error) {
			z.ExpireAccessTokens()
			return map[string]bool{"expired": true}, nil
		}),
		"merge": actionOf(func(asked struct {
			Winner string `json:"winner"`
			Loser  string `json:"loser"`
			Org    int    `json:"org"`
		},
		) (any, error) {
			return map[string]bool{"merged": true}, z.Merge(asked.Org, asked.Winner, asked.Loser)
		}),
		"restore": actionOf(func(asked struct {
			ID  string `json:"id"`
			Org int    `json:"org"`
		},
		) (any, error) {
			if !z.Restore(asked.Org, asked.ID) {
				return nil, fmt.Errorf("contact %q is not in the recycle bin", asked.ID)
			}
			return map[string]bool{"restored": true}, nil
		}),
		"replay": z.outbox.replayAction,
		"reset": actionOf(func(struct{}) (any, error) {
			z.ResetCounters()
			return z.status(), nil
		}),
	}
}

// contacts is the control's list: items, and next_cursor to come back with as
// after.
func (z *Zoho) contacts(org int, after int64, limit int) ([]byte, error) {
	o, err := z.org(org)
	if err != nil {
		return nil, err
	}
	found, more := o.living(max(0, o.recordNumber(after)), limit)
	body := append(make([]byte, 0, 2048*(len(found)+1)), `{"items":[`...)
	var view contactView
	fields := z.current().fields()
	for i, r := range found {
		if i > 0 {
			body = append(body, ',')
		}
		body = view.appendContact(body, o, r, fields)
	}
	body = append(body, `],"next_cursor":`...)
	if !more {
		return append(body, "null}"...), nil
	}
	return fmt.Appendf(body, `"%d"}`, o.recordID(found[len(found)-1].id)), nil
}
