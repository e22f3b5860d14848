package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// How Pipedrive judges a subscription's receiver [doc: Webhooks for apps]. That
// the failures are in a row, that another attempt is lost in a ban too, and that
// the days begin with a failure is our reading.
const (
	failuresToBan = 10 // first attempts
	banLife       = 30 * time.Minute
	failingLife   = 3 * 24 * time.Hour // without a success; then the subscription is deleted
)

// pipedriveWaits come before the attempts 2 to 4 [doc: Guide for Webhooks v2].
var pipedriveWaits = []time.Duration{3 * time.Second, 30 * time.Second, 150 * time.Second}

// digestFields are what an event tells of a person: less than the API does.
var digestFields = []string{
	"id", "name", "first_name", "last_name", "owner_id", "org_id", "add_time", "update_time",
	"emails", "phones", "visible_to", "label_ids", "picture_id",
}

// personChange is what happened to one person.
type personChange struct {
	action         string
	company        *company
	host           string
	before, after  record
	merge          merge
	at             time.Time
	correlation    string
	permittedUsers []string
}

// webhookEvent is the body of a delivery, version 2.0.
type webhookEvent struct {
	Meta     webhookMeta                `json:"meta"`
	Data     map[string]json.RawMessage `json:"data"`
	Previous map[string]json.RawMessage `json:"previous"`
}

type webhookMeta struct {
	Action           string   `json:"action"`
	Entity           string   `json:"entity"`
	EntityID         string   `json:"entity_id"`
	ID               string   `json:"id"`
	CompanyID        string   `json:"company_id"`
	UserID           string   `json:"user_id"`
	WebhookID        string   `json:"webhook_id"`
	WebhookOwnerID   string   `json:"webhook_owner_id"`
	CorrelationID    string   `json:"correlation_id"`
	ChangeSource     string   `json:"change_source"`
	IsBulkEdit       bool     `json:"is_bulk_edit"`
	Attempt          int      `json:"attempt"`
	Host             string   `json:"host"`
	PermittedUserIDs []string `json:"permitted_user_ids"`
	Timestamp        string   `json:"timestamp"`
	Type             string   `json:"type"`
	Version          string   `json:"version"`
	MergedToID       string   `json:"merged_to_id,omitempty"`
	MergedFromID     string   `json:"merged_from_id,omitempty"`
}

// changeAction names what became of a record, "" for what no event tells: a
// purge leaves no trace.
func changeAction(before record, existed bool, after record) string {
	switch {
	case after.living() && (!existed || before.purged):
		return "create"
	case after.living():
		return "change"
	case existed && before.living() && !after.purged:
		return "delete"
	}
	return ""
}

// personChanged queues a delivery to each subscription that a change matches. It
// is called by the company's records under their lock.
func (p *Pipedrive) personChanged(c *company, before record, existed bool, after record) {
	action := changeAction(before, existed, after)
	if action == "" {
		return
	}
	p.mu.Lock()
	now := p.sandbox.Now()
	change := personChange{
		action: action, company: c, host: c.domain + ".pipedrive.com", before: before, after: after, merge: c.merging, at: now,
	}
	var told []webhook
	if p.settings.Webhooks {
		told = p.subscribers(c, action, now)
		told = slices.DeleteFunc(told, func(h webhook) bool { return p.hidden(c, h.UserID, after.id) })
	}
	p.mu.Unlock()
	if len(told) == 0 {
		return
	}
	change.correlation = uuid.NewString()
	for _, h := range told {
		change.permittedUsers = append(change.permittedUsers, strconv.Itoa(h.UserID))
	}
	slices.Sort(change.permittedUsers)
	change.permittedUsers = slices.Compact(change.permittedUsers)
	for _, h := range told {
		p.outbox.add(p.deliveryOf(h, change))
	}
}

// hidden says whether a narrowed permission hides a person from a user: it is
// the one who connects whose permissions are narrowed. p.mu is held.
func (p *Pipedrive) hidden(c *company, user int, person int64) bool {
	return user == c.user && p.settings.Visible > 0 && person > p.settings.Visible
}

// subscribers are the subscriptions to an action on persons, oldest first.
// Events have the form of version 2.0; the sandbox makes no others. p.mu is held.
func (p *Pipedrive) subscribers(c *company, action string, now time.Time) []webhook {
	p.dropFailing(now)
	var found []webhook
	for _, h := range p.hooks.byID {
		if h.CompanyID == c.id && h.Version == "2.0" && (h.EventAction == "*" || h.EventAction == action) &&
			(h.EventObject == "*" || h.EventObject == "person") {
			found = append(found, *h)
		}
	}
	slices.SortFunc(found, func(a, b webhook) int { return a.ID - b.ID })
	return found
}

// deliveryOf is the delivery of a change to a subscription.
func (p *Pipedrive) deliveryOf(h webhook, change personChange) *delivery {
	meta := change.meta(h)
	return &delivery{
		url:   h.SubscriptionURL,
		waits: pipedriveWaits,
		render: func(attempt int) (http.Header, []byte) {
			meta := meta
			meta.Attempt = attempt
			return h.header(), change.body(meta)
		},
		admit: func() bool { return p.mayDeliver(h.ID) },
		heard: func(attempt, status int) { p.judge(h.ID, attempt, status) },
	}
}

func (h webhook) header() http.Header {
	header := http.Header{"Content-Type": {"application/json"}}
	if h.HTTPAuthUser != nil || h.HTTPAuthPass != nil {
		value := func(text *string) string {
			if text == nil {
				return ""
			}
			return *text
		}
		r := http.Request{Header: header}
		r.SetBasicAuth(value(h.HTTPAuthUser), value(h.HTTPAuthPass))
	}
	return header
}

// meta is what all attempts of a delivery have in common.
func (c personChange) meta(h webhook) webhookMeta {
	meta := webhookMeta{
		Action: c.action, Entity: "person", EntityID: strconv.FormatInt(c.after.id, 10), ID: uuid.NewString(),
		CompanyID: strconv.Itoa(c.company.id), UserID: strconv.Itoa(c.company.user),
		WebhookID: strconv.Itoa(h.ID), WebhookOwnerID: strconv.Itoa(h.OwnerID), CorrelationID: c.correlation,
		ChangeSource: "app", Host: c.host, PermittedUserIDs: c.permittedUsers,
		Timestamp: c.at.Format("2006-01-02T15:04:05.000Z"), Type: h.Type, Version: h.Version,
	}
	switch c.after.id {
	case c.merge.loser:
		meta.MergedToID = strconv.FormatInt(c.merge.winner, 10)
	case c.merge.winner:
		meta.MergedFromID = strconv.FormatInt(c.merge.loser, 10)
	}
	return meta
}

// body renders an event: data is the person as it is now, previous what it was,
// of a change only the fields that differ.
func (c personChange) body(meta webhookMeta) []byte {
	event := webhookEvent{Meta: meta}
	switch c.action {
	case "create":
		event.Data = digest(c.company, c.after)
	case "change":
		event.Data = digest(c.company, c.after)
		event.Previous = differing(digest(c.company, c.before), event.Data)
	case "delete":
		event.Previous = digest(c.company, c.before)
	}
	body, err := json.Marshal(event)
	if err != nil {
		panic(fmt.Sprintf("render an event of person %d: %v", c.after.id, err)) // Put takes JSON only
	}
	return body
}

// digest is what an event shows of a person.
func digest(c *company, r record) map[string]json.RawMessage {
	text := appendPerson(nil, c, r)
	if r.raw != nil {
		var compact bytes.Buffer
		_ = json.Compact(&compact, text) // so that values compare; Put takes JSON only
		text = compact.Bytes()
	}
	var all map[string]json.RawMessage
	_ = json.Unmarshal(text, &all) // JSON, as its origin says
	shown := make(map[string]json.RawMessage, len(digestFields))
	for _, name := range digestFields {
		if value, ok := all[name]; ok {
			shown[name] = value
		}
	}
	return shown
}

// differing is what of before now differs; a field that was not there was null.
func differing(before, now map[string]json.RawMessage) map[string]json.RawMessage {
	changed := map[string]json.RawMessage{}
	for _, name := range digestFields {
		was, is := before[name], now[name]
		switch {
		case bytes.Equal(was, is):
		case was == nil:
			changed[name] = json.RawMessage("null")
		default:
			changed[name] = was
		}
	}
	return changed
}
