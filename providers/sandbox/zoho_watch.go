package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a channel. [doc: Notification APIs v8]
const (
	channelLife     = time.Hour
	longestChannel  = 7 * 24 * time.Hour
	longestSecret   = 50
	mostChannels    = 50 // in one request [spec31]
	contactsModule  = "Contacts"
	moduleAllEvents = "all"
)

// channel is a subscription to changes: who is told of what, and until when. A
// channel that has expired is as if it had never been.
type channel struct {
	ID                string // chosen by the app, unique in its org
	org               *zohoOrg
	Events            []string // Contacts.create, .edit, .delete or .all
	Token             string   // sent back with each notification
	NotifyURL         string
	Expires           time.Time
	OnRelatedAction   bool
	ReturnFieldValues bool
}

type channelKey struct {
	zgid int
	id   string
}

// channels are those of all orgs.
type channels struct {
	byID map[channelKey]*channel
}

// live lists the living channels of an org that want to hear of an event, such as
// Contacts.edit; "" is any event. The caller holds the lock.
func (c *channels) live(o *zohoOrg, event string, now time.Time) []*channel {
	var found []*channel
	for _, ch := range c.byID {
		if ch.org == o && now.Before(ch.Expires) && (event == "" || ch.wants(event)) {
			found = append(found, ch)
		}
	}
	slices.SortFunc(found, func(a, b *channel) int { return cmp.Compare(a.ID, b.ID) })
	return found
}

func (ch *channel) wants(event string) bool {
	module, _, _ := strings.Cut(event, ".")
	return slices.Contains(ch.Events, event) || slices.Contains(ch.Events, module+"."+moduleAllEvents)
}

// ZohoChannel is a living channel as the control shows it, without its token.
type ZohoChannel struct {
	Org       int       `json:"org"`
	ChannelID string    `json:"channel_id"`
	Events    []string  `json:"events"`
	NotifyURL string    `json:"notify_url"`
	Expires   time.Time `json:"expires"`
}

// Channels lists the living channels of all orgs.
func (z *Zoho) Channels() []ZohoChannel {
	now := z.sandbox.Now()
	z.mu.Lock()
	defer z.mu.Unlock()
	list := []ZohoChannel{}
	for _, o := range z.orgs {
		for _, ch := range z.channels.live(o, "", now) {
			list = append(list, ZohoChannel{o.zgid, ch.ID, ch.Events, ch.NotifyURL, ch.Expires})
		}
	}
	return list
}

// watchRequest is the body of POST, PUT and PATCH.
type watchRequest struct {
	Watch []watchAsked `json:"watch"`
}

type watchAsked struct {
	ChannelID         channelID `json:"channel_id"`
	Events            []string  `json:"events"`
	Expiry            *string   `json:"channel_expiry"`
	Token             *string   `json:"token"`
	NotifyURL         *string   `json:"notify_url"`
	OnRelatedAction   *bool     `json:"notify_on_related_action"`
	ReturnFieldValues *bool     `json:"return_affected_field_values"`
	DeleteEvents      bool      `json:"_delete_events"`
}

// channelID comes as a number or as a string of digits.
type channelID string

// UnmarshalJSON takes both.
func (id *channelID) UnmarshalJSON(text []byte) error {
	digits := strings.Trim(string(text), `"`)
	if digits == "null" {
		return nil
	}
	if _, err := parseID(digits); err != nil {
		return fmt.Errorf("channel_id %s is not a number", text)
	}
	*id = channelID(digits)
	return nil
}

// watchResult is one entry of an answer.
type watchResult struct {
	Code    string `json:"code"`
	Details any    `json:"details"`
	Message string `json:"message"`
	Status  string `json:"status"`
}

// change is what a request does to one channel; it returns the refusal.
type watchChange func(z *Zoho, s zohoSession, asked watchAsked, index int) (watchResult, *zohoError)

// watch answers the requests that have a body.
func (z *Zoho) watch(status int, change watchChange) zohoHandler {
	return func(w http.ResponseWriter, r *http.Request, s zohoSession) {
		if !s.settings.Webhooks {
			noPermission.write(w)
			return
		}
		var asked watchRequest
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = json.Unmarshal(body, &asked)
		}
		if err != nil || len(asked.Watch) == 0 || len(asked.Watch) > mostChannels {
			refused := newZohoError("MANDATORY_NOT_FOUND", "required field not found", map[string]any{"api_name": "watch", "json_path": "$.watch"})
			z.refuseWatch(w, s, refused)
			return
		}
		results := make([]any, 0, len(asked.Watch))
		for i, one := range asked.Watch {
			result, refused := change(z, s, one, i)
			if refused != nil {
				z.refuseWatch(w, s, *refused)
				return
			}
			results = append(results, result)
		}
		writeZoho(w, status, map[string]any{"watch": results})
	}
}

func (z *Zoho) refuseWatch(w http.ResponseWriter, s zohoSession, refused zohoError) {
	writeZoho(w, s.settings.WatchErrorStatus, map[string]any{"watch": []zohoError{refused}})
}

// enableChannel is POST /crm/v8/actions/watch, which renews a channel that lives.
func enableChannel(z *Zoho, s zohoSession, asked watchAsked, index int) (watchResult, *zohoError) {
	ch, refused := z.channelAsked(s, asked, index, nil)
	if refused != nil {
		return watchResult{}, refused
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.channels.byID[channelKey{s.org.zgid, ch.ID}] = ch
	return z.channelResult(ch, s, "Successfully subscribed for actions-watch of the given module"), nil
}

// updateChannel is PUT, and PATCH without _delete_events.
func updateChannel(z *Zoho, s zohoSession, asked watchAsked, index int) (watchResult, *zohoError) {
	now := z.sandbox.Now()
	z.mu.Lock()
	old, ok := z.channels.byID[channelKey{s.org.zgid, string(asked.ChannelID)}]
	ok = ok && now.Before(old.Expires)
	z.mu.Unlock()
	if !ok {
		refused := notSubscribed(string(asked.ChannelID))
		return watchResult{}, &refused
	}
	ch, refused := z.channelAsked(s, asked, index, old)
	if refused != nil {
		return watchResult{}, refused
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.channels.byID[channelKey{s.org.zgid, ch.ID}] = ch
	return z.channelResult(ch, s, "Successfully updated the subscribe details"), nil
}

// patchChannel is PATCH, which takes events away if it says _delete_events.
func patchChannel(z *Zoho, s zohoSession, asked watchAsked, index int) (watchResult, *zohoError) {
	if !asked.DeleteEvents {
		return updateChannel(z, s, asked, index)
	}
	now := z.sandbox.Now()
	z.mu.Lock()
	defer z.mu.Unlock()
	at := channelKey{s.org.zgid, string(asked.ChannelID)}
	old, ok := z.channels.byID[at]
	if !ok || !now.Before(old.Expires) {
		refused := notSubscribed(string(asked.ChannelID))
		return watchResult{}, &refused
	}
	ch := *old
	ch.Events = slices.DeleteFunc(slices.Clone(old.Events), func(event string) bool { return slices.Contains(asked.Events, event) })
	z.channels.byID[at] = &ch
	if len(ch.Events) == 0 {
		delete(z.channels.byID, at)
	}
	return z.channelResult(&ch, s, "Successfully removed the subscribe details"), nil
}

// channelAsked checks what a channel is to be; old is what it was, if it changes.
func (z *Zoho) channelAsked(s zohoSession, asked watchAsked, index int, old *channel) (*channel, *zohoError) {
	ch := &channel{ID: string(asked.ChannelID), org: s.org, OnRelatedAction: true}
	if old != nil {
		*ch = *old
	}
	if asked.Events != nil {
		ch.Events = asked.Events
	}
	if asked.Token != nil {
		ch.Token = *asked.Token
	}
	if asked.NotifyURL != nil {
		ch.NotifyURL = *asked.NotifyURL
	}
	if asked.OnRelatedAction != nil {
		ch.OnRelatedAction = *asked.OnRelatedAction
	}
	if asked.ReturnFieldValues != nil {
		ch.ReturnFieldValues = *asked.ReturnFieldValues
	}
	code, field, text := ch.fault()
	if field == "" {
		expires, err := z.expiry(asked.Expiry, s.settings.GrantSeconds)
		if err != nil {
			code, field, text = "INVALID_DATA", "channel_expiry", err.Error()
		}
		ch.Expires = expires
	}
	if field != "" {
		refused := newZohoError(code, text, map[string]any{"api_name": field, "json_path": fmt.Sprintf("$.watch[%d].%s", index, field)})
		return nil, &refused
	}
	return ch, nil
}

// fault names the first field of a channel that Zoho refuses.
func (ch *channel) fault() (code, field, text string) {
	notify, err := url.Parse(ch.NotifyURL)
	switch {
	case ch.ID == "":
		return "MANDATORY_NOT_FOUND", "channel_id", "required field not found"
	case len(ch.Events) == 0:
		return "MANDATORY_NOT_FOUND", "events", "required field not found"
	case ch.NotifyURL == "":
		return "MANDATORY_NOT_FOUND", "notify_url", "required field not found"
	case err != nil || notify.Host == "" || notify.Scheme != "https" && notify.Scheme != "http":
		return "INVALID_DATA", "notify_url", "invalid data"
	case utf8.RuneCountInString(ch.Token) > longestSecret:
		return "INVALID_DATA", "token", "invalid data"
	}
	for _, event := range ch.Events {
		if !slices.Contains([]string{"Contacts.create", "Contacts.edit", "Contacts.delete", "Contacts.all"}, event) {
			return "INVALID_DATA", "events", "invalid data"
		}
	}
	return "", "", ""
}

// expiry is how long a channel lives: an hour if nothing is asked, and also if
// more than a week is asked. [doc: Notification APIs v8]
func (z *Zoho) expiry(asked *string, granted int64) (time.Time, error) {
	now := z.sandbox.Now()
	expires := now.Add(channelLife)
	if asked != nil {
		at, err := time.Parse(time.RFC3339, *asked)
		switch {
		case err != nil:
			return now, errors.New("invalid data")
		case !at.After(now):
			return now, errors.New("channel_expiry must lie in the future")
		case !at.After(now.Add(longestChannel)):
			expires = at
		}
	}
	if most := now.Add(time.Duration(granted) * time.Second); granted > 0 && expires.After(most) {
		expires = most
	}
	return expires.Truncate(time.Second), nil
}

func (z *Zoho) channelResult(ch *channel, s zohoSession, message string) watchResult {
	return watchResult{Code: "SUCCESS", Status: "success", Message: message, Details: map[string]any{
		"events": []map[string]string{{
			"channel_expiry": ch.Expires.Format(zohoTimeForm), "resource_uri": z.resourceURI(s.org),
			"resource_id": s.org.contactsModuleID(), "resource_name": contactsModule, "channel_id": ch.ID,
		}},
	}}
}

func (z *Zoho) resourceURI(o *zohoOrg) string {
	return z.apiHost(nil, o.dc) + "/crm/v8/Contacts"
}

func (o *zohoOrg) contactsModuleID() string { return strconv.FormatInt(o.recordID(fieldIDs), 10) }

// listChannels is GET /crm/v8/actions/watch.
func (z *Zoho) listChannels(w http.ResponseWriter, r *http.Request, s zohoSession) {
	query := r.URL.Query()
	q := zohoQuestion{perPage: mostPerPage, page: 1}
	refused := knownParams(query, []string{"page", "per_page", "channel_id", "module"})
	if refused == nil {
		refused = q.askPage(query, 0)
	}
	if refused != nil {
		refused.write(w)
		return
	}
	z.mu.Lock()
	found := z.channels.live(s.org, "", z.sandbox.Now())
	z.mu.Unlock()
	found = slices.DeleteFunc(found, func(ch *channel) bool {
		return query.Has("channel_id") && ch.ID != query.Get("channel_id") || query.Has("module") && query.Get("module") != contactsModule
	})
	found = found[min(q.skip, len(found)):]
	more := len(found) > q.perPage
	found = found[:min(q.perPage, len(found))]
	if len(found) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	list := make([]map[string]any, 0, len(found))
	for _, ch := range found {
		list = append(list, map[string]any{
			"channel_id": ch.ID, "events": ch.Events, "token": ch.Token, "notify_url": ch.NotifyURL,
			"channel_expiry": ch.Expires.Format(zohoTimeForm), "resource_uri": z.resourceURI(s.org), "resource_id": s.org.contactsModuleID(),
			"resource_name": contactsModule, "notify_on_related_action": ch.OnRelatedAction,
			"return_affected_field_values": ch.ReturnFieldValues, "fields": nil, "notification_condition": nil,
		})
	}
	writeZoho(w, http.StatusOK, map[string]any{"watch": list, "info": map[string]any{
		"per_page": q.perPage, "count": len(list), "page": q.page, "more_records": more,
	}})
}

// deleteChannels is DELETE /crm/v8/actions/watch?channel_ids=…
func (z *Zoho) deleteChannels(w http.ResponseWriter, r *http.Request, s zohoSession) {
	if r.URL.Query().Get("channel_ids") == "" {
		refuse(http.StatusBadRequest, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing",
			map[string]any{"param_name": "channel_ids", "param": "channel_ids"}).write(w)
		return
	}
	now := z.sandbox.Now()
	ids := strings.Split(r.URL.Query().Get("channel_ids"), ",")
	results := make([]any, 0, len(ids))
	z.mu.Lock()
	for _, id := range ids {
		at := channelKey{s.org.zgid, id}
		ch, ok := z.channels.byID[at]
		if !ok || !now.Before(ch.Expires) {
			z.mu.Unlock()
			z.refuseWatch(w, s, notSubscribed(id))
			return
		}
		delete(z.channels.byID, at)
		results = append(results, watchResult{
			Code: "SUCCESS", Status: "success", Message: "Successfully un-subscribed from actions-watch",
			Details: map[string]string{"resource_uri": z.resourceURI(s.org), "resource_id": s.org.contactsModuleID(), "channel_id": id},
		})
	}
	z.mu.Unlock()
	writeZoho(w, http.StatusOK, map[string]any{"watch": results})
}
