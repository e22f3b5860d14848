package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"
)

// webhooksPerUser is how many subscriptions a user may have.
const webhooksPerUser = 40

// hooks are the webhook subscriptions of all companies.
type hooks struct {
	last int
	byID map[int]*webhook
}

// webhook is a subscription as API v1 shows it.
type webhook struct {
	ID              int     `json:"id"`
	CompanyID       int     `json:"company_id"`
	OwnerID         int     `json:"owner_id"`
	UserID          int     `json:"user_id"`
	EventAction     string  `json:"event_action"`
	EventObject     string  `json:"event_object"`
	SubscriptionURL string  `json:"subscription_url"`
	Version         string  `json:"version"`
	IsActive        int     `json:"is_active"`
	AddTime         string  `json:"add_time"`
	RemoveTime      *string `json:"remove_time"`
	Type            string  `json:"type"`
	HTTPAuthUser    *string `json:"http_auth_user"`
	HTTPAuthPass    *string `json:"http_auth_password"`
	RemoveReason    *string `json:"remove_reason"`
	LastDelivery    *string `json:"last_delivery_time"`
	LastStatus      *int    `json:"last_http_status"`
	AdminID         int     `json:"admin_id"`
	Name            string  `json:"name"`

	receiver receiver
}

// webhookRequest is the body of a creation.
type webhookRequest struct {
	SubscriptionURL string  `json:"subscription_url"`
	EventAction     string  `json:"event_action"`
	EventObject     string  `json:"event_object"`
	Name            string  `json:"name"`
	UserID          int     `json:"user_id"`
	HTTPAuthUser    *string `json:"http_auth_user"`
	HTTPAuthPass    *string `json:"http_auth_password"`
	Version         string  `json:"version"`
}

var (
	eventActions = []string{"create", "change", "delete", "*"}
	eventObjects = []string{"activity", "deal", "lead", "note", "organization", "person", "pipeline", "product", "stage", "user", "*"}
)

// fault names the field that is wrong and what is, or two empty strings.
func (q webhookRequest) fault() (field, text string) {
	target, err := url.Parse(q.SubscriptionURL)
	switch {
	case err != nil || target.Host == "" || (target.Scheme != "https" && target.Scheme != "http"):
		return "subscription_url", "invalid or non-reachable URL"
	case !slices.Contains(eventActions, q.EventAction):
		return "event_action", "invalid value"
	case !slices.Contains(eventObjects, q.EventObject):
		return "event_object", "invalid value"
	case q.Name == "":
		return "name", "is required"
	case utf8.RuneCountInString(q.Name) > 255:
		return "name", "must be at most 255 characters"
	case q.Version != "1.0" && q.Version != "2.0":
		return "version", "invalid value"
	}
	return "", ""
}

// listWebhooks is GET /api/v1/webhooks.
func (p *Pipedrive) listWebhooks(w http.ResponseWriter, _ *http.Request, s session) {
	writeAPI(w, http.StatusOK, map[string]any{"status": "ok", "success": true, "data": p.webhooksOf(s)})
}

func (p *Pipedrive) webhooksOf(s session) []webhook {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropFailing(p.sandbox.Now())
	found := []webhook{}
	for _, h := range p.hooks.byID {
		if h.CompanyID == s.company.id && h.OwnerID == s.grant.user {
			found = append(found, *h)
		}
	}
	slices.SortFunc(found, func(a, b webhook) int { return a.ID - b.ID })
	return found
}

// createWebhook is POST /api/v1/webhooks.
func (p *Pipedrive) createWebhook(w http.ResponseWriter, r *http.Request, s session) {
	asked := webhookRequest{Version: "2.0", UserID: s.grant.user}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(body, &asked)
	}
	if err != nil {
		badRequest("Request body must be valid JSON").write(w)
		return
	}
	if field, text := asked.fault(); field != "" {
		writeAPI(w, http.StatusBadRequest, webhookErrors(field, text))
		return
	}
	if !p.current().Webhooks || len(p.webhooksOf(s)) >= webhooksPerUser {
		writeAPI(w, http.StatusUnprocessableEntity, webhookErrors("general", "webhook limit of 40 reached"))
		return
	}
	writeAPI(w, http.StatusCreated, map[string]any{"status": "ok", "success": true, "data": p.addWebhook(asked, s)})
}

func webhookErrors(field, text string) map[string]any {
	return map[string]any{"status": "error", "success": false, "errors": map[string][]string{field: {text}}}
}

func (p *Pipedrive) addWebhook(asked webhookRequest, s session) webhook {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hooks.last++
	h := &webhook{
		ID: p.hooks.last, CompanyID: s.company.id, OwnerID: s.grant.user, UserID: asked.UserID, AdminID: s.grant.user,
		EventAction: asked.EventAction, EventObject: asked.EventObject, SubscriptionURL: asked.SubscriptionURL,
		Version: asked.Version, IsActive: 1, AddTime: p.sandbox.Now().Format("2006-01-02T15:04:05.000Z"),
		Type: "application", HTTPAuthUser: asked.HTTPAuthUser, HTTPAuthPass: asked.HTTPAuthPass, Name: asked.Name,
	}
	p.hooks.byID[h.ID] = h
	return *h
}

// deleteWebhook is DELETE /api/v1/webhooks/{id}.
func (p *Pipedrive) deleteWebhook(w http.ResponseWriter, r *http.Request, s session) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	p.mu.Lock()
	h, ok := p.hooks.byID[id]
	ok = ok && h.CompanyID == s.company.id
	if ok {
		delete(p.hooks.byID, id)
	}
	p.mu.Unlock()
	if !ok {
		writeAPI(w, http.StatusNotFound, webhookErrors("id", "not found"))
		return
	}
	writeAPI(w, http.StatusOK, map[string]any{"status": "ok", "success": true})
}
