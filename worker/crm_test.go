package worker_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"example.com/enlace/providers"
)

// crm is a provider that exists only here: it notifies, lists by time and lists its deletions. What it is asked for is
// counted. Safe for concurrent use.
type crm struct {
	server *httptest.Server

	mu       sync.Mutex
	people   map[string]crmPerson
	reads    map[string]int // by id
	lists    int
	deleted  int            // lists of deletions
	statuses map[string]int // what reading a record answers instead
	gate     chan struct{}  // reads wait for it to be closed; nil: they don't
	reading  chan string    // told the id that waits; nil: nobody listens
	subs     map[string]crmSubscription
	made     int           // subscriptions, in all
	asked    int           // calls that make one, or renew it
	life     time.Duration // that is granted; 0: for ever
	refusal  int           // status that asking for a subscription gets; 0: it is granted
}

type crmPerson struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Updated time.Time `json:"updated"`
	Deleted bool      `json:"deleted"`
}

type crmSubscription struct {
	ID      string    `json:"id"`
	URL     string    `json:"url"`
	Secret  string    `json:"secret"`
	Expires time.Time `json:"expires"`
}

func newCRM(t *testing.T) *crm {
	t.Helper()
	c := &crm{people: map[string]crmPerson{}, reads: map[string]int{}, statuses: map[string]int{}, subs: map[string]crmSubscription{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /contacts", c.list)
	mux.HandleFunc("GET /contacts/{id}", c.read)
	mux.HandleFunc("GET /deleted", c.listDeleted)
	mux.HandleFunc("POST /subscriptions", c.subscribe)
	mux.HandleFunc("DELETE /subscriptions/{id}", c.unsubscribe)
	c.server = httptest.NewServer(mux)
	t.Cleanup(c.server.Close)
	return c
}

// change does something to the fake under its lock.
func (c *crm) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

// put stores a person, stamped now.
func (c *crm) put(id, name string) {
	c.change(func() {
		c.people[id] = crmPerson{ID: id, Name: name, Updated: time.Now().UTC().Truncate(time.Microsecond)}
	})
}

// remove deletes a person without a trace but for the list of deletions.
func (c *crm) remove(id string) {
	c.change(func() { c.people[id] = crmPerson{ID: id, Updated: time.Now().UTC(), Deleted: true} })
}

// living is what is there, as stored contacts are compared.
func (c *crm) living() map[string]person {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := map[string]person{}
	for id, p := range c.people {
		if !p.Deleted {
			list[id] = person{p.Name, p.Updated.Format(time.RFC3339)}
		}
	}
	return list
}

// readsOf counts the reads of one record, or of all.
func (c *crm) readsOf(id string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != "" {
		return c.reads[id]
	}
	for _, one := range c.reads {
		n += one
	}
	return n
}

// number reads a counter.
func (c *crm) number(n *int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *n
}

// live are the subscriptions that haven't expired.
func (c *crm) live() (list []crmSubscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.subs {
		if s.Expires.IsZero() || s.Expires.After(time.Now()) {
			list = append(list, s)
		}
	}
	return list
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (c *crm) list(w http.ResponseWriter, r *http.Request) {
	since, _ := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since"))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists++
	found := []crmPerson{}
	for _, p := range c.people {
		if !p.Deleted && !p.Updated.Before(since) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b crmPerson) int { return a.Updated.Compare(b.Updated) })
	answerJSON(w, http.StatusOK, found)
}

func (c *crm) read(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c.mu.Lock()
	c.reads[id]++
	gate, reading, status := c.gate, c.reading, c.statuses[id]
	p, ok := c.people[id]
	c.mu.Unlock()
	if reading != nil {
		reading <- id
	}
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
	}
	switch {
	case status != 0:
		answerJSON(w, status, nil)
	case !ok || p.Deleted:
		answerJSON(w, http.StatusNotFound, nil)
	default:
		answerJSON(w, http.StatusOK, p)
	}
}

func (c *crm) listDeleted(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deleted++
	ids := []string{}
	for id, p := range c.people {
		if p.Deleted {
			ids = append(ids, id)
		}
	}
	answerJSON(w, http.StatusOK, ids)
}

func (c *crm) subscribe(w http.ResponseWriter, r *http.Request) {
	var asked crmSubscription
	_ = json.NewDecoder(r.Body).Decode(&asked)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.refusal != 0 {
		answerJSON(w, c.refusal, nil)
		return
	}
	if c.life > 0 {
		asked.Expires = time.Now().Add(c.life).UTC()
	}
	for id, s := range c.subs {
		if s.URL == asked.URL && (s.Expires.IsZero() || s.Expires.After(time.Now())) {
			asked.ID = id
		}
	}
	if asked.ID == "" {
		c.made++
		asked.ID = strconv.Itoa(c.made)
	}
	c.subs[asked.ID] = asked
	answerJSON(w, http.StatusOK, asked)
}

func (c *crm) unsubscribe(w http.ResponseWriter, r *http.Request) {
	c.change(func() { delete(c.subs, r.PathValue("id")) })
	answerJSON(w, http.StatusOK, nil)
}

// provider is the adapter. With perAccount, each account is subscribed for itself.
func (c *crm) provider(perAccount bool) *providers.Provider {
	p := &providers.Provider{
		Name: "crm", Title: "CRM", Kind: providers.CRM,
		Contacts: func(_ providers.Account, client *http.Client) providers.ContactSource {
			return &crmSource{c.server.URL, providers.NewHTTP(client, 20*time.Second)}
		},
		Changes: &providers.Changes{Read: func(providers.Notification) ([]providers.Change, error) { return nil, providers.ErrUnverified }},
		Limits:  providers.Limits{RequestsPerSecond: 2000, Cursors: providers.Positions, DeletedEvery: time.Hour},
	}
	if !perAccount {
		return p
	}
	p.Changes.Subscribe = func(ctx context.Context, _ providers.Account, client *http.Client, s providers.Subscription) (providers.Subscription, error) {
		made, err := crmAsk[crmSubscription](ctx, providers.NewHTTP(client, 0), providers.Request{
			Method: http.MethodPost, URL: c.server.URL + "/subscriptions", Body: crmSubscription{URL: s.URL, Secret: s.Secret},
		})
		s.ID, s.ExpiresAt = made.ID, made.Expires
		return s, err
	}
	p.Changes.Unsubscribe = func(ctx context.Context, _ providers.Account, client *http.Client, s providers.Subscription) error {
		_, err := crmAsk[any](ctx, providers.NewHTTP(client, 0), providers.Request{Method: http.MethodDelete, URL: c.server.URL + "/subscriptions/" + s.ID})
		return err
	}
	return p
}

type crmSource struct {
	base string
	http *providers.HTTP
}

func crmAsk[T any](ctx context.Context, h *providers.HTTP, r providers.Request) (v T, err error) {
	answer, err := h.Do(ctx, "crm", r)
	if err != nil {
		return v, err
	}
	e := &providers.Error{Op: "crm", Status: answer.Status}
	switch status := answer.Status; {
	case answer.OK():
		return v, answer.Decode("crm", &v)
	case status == http.StatusNotFound:
		e.Kind = providers.NotFound
	case status == http.StatusTooManyRequests:
		e.Kind, e.RetryAt = providers.RateLimited, time.Now().Add(time.Second)
	case status == http.StatusForbidden:
		e.Kind = providers.NeedsReauth
	case status == http.StatusUnprocessableEntity:
		e.Kind, e.Err = providers.InvalidRequest, providers.ErrNoNotifications
	case status >= http.StatusInternalServerError:
		e.Kind = providers.Transient
	default:
		e.Kind = providers.InvalidRequest
	}
	return v, e
}

func (p crmPerson) contact() providers.Contact {
	return providers.Contact{ExternalID: p.ID, Name: p.Name, UpdatedAt: p.Updated, Deleted: p.Deleted}
}

// ListContacts implements [providers.ContactSource].
func (s *crmSource) ListContacts(ctx context.Context, req providers.ListRequest) (page providers.Page, err error) {
	query := url.Values{}
	if !req.UpdatedSince.IsZero() {
		query.Set("since", req.UpdatedSince.UTC().Format(time.RFC3339Nano))
	}
	list, err := crmAsk[[]crmPerson](ctx, s.http, providers.Request{URL: s.base + "/contacts?" + query.Encode()})
	for _, p := range list {
		page.Contacts = append(page.Contacts, p.contact())
	}
	return page, err
}

// ReadContact implements [providers.ContactSource].
func (s *crmSource) ReadContact(ctx context.Context, id string) (providers.Contact, providers.Observation, error) {
	p, err := crmAsk[crmPerson](ctx, s.http, providers.Request{URL: s.base + "/contacts/" + url.PathEscape(id)})
	return p.contact(), providers.Observation{}, err
}

// ListDeleted implements [providers.DeletedLister].
func (s *crmSource) ListDeleted(ctx context.Context, _ time.Time, _ providers.Cursor) (page providers.DeletedPage, err error) {
	page.ExternalIDs, err = crmAsk[[]string](ctx, s.http, providers.Request{URL: s.base + "/deleted"})
	return page, err
}
