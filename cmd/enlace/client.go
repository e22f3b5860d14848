package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/store"
)

const (
	callLimit    = 30 * time.Second
	patientLimit = 2 * time.Minute // of what reads at a provider meanwhile

	maxAnswer = 16 << 20 // bytes
)

// client speaks to the API of a running enlace.
type client struct {
	base string
	key  secret
	http *http.Client
}

// newClient reads ENLACE_URL and ENLACE_API_KEY. An enlace on this machine is taken for a development one if no key is
// set.
func newClient() (*client, error) {
	cfg := new(clientConfig)
	if err := readEnvironment(cfg); err != nil {
		return nil, err
	}
	u, err := url.Parse(string(cfg.URL))
	if err != nil {
		return nil, usagef("ENLACE_URL is not an address")
	}
	if cfg.APIKey == "" && isLoopback(u.Hostname()) {
		cfg.APIKey = devKey
	}
	if cfg.APIKey == "" {
		return nil, usagef("ENLACE_API_KEY is missing: it must look like an API key; get it from `enlace keys new` where enlace runs")
	}
	return &client{base: string(cfg.URL), key: cfg.APIKey, http: &http.Client{Timeout: callLimit}}, nil
}

// patient is the client for what reads at a provider meanwhile.
func (c *client) patient() *client {
	patient := *c
	limited := *c.http
	limited.Timeout = patientLimit
	patient.http = &limited
	return &patient
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A refusal is an answer of the API that isn't a success.
type refusal struct {
	Status int    `json:"-"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func (r *refusal) Error() string {
	switch {
	case r.Status == http.StatusUnauthorized:
		return "the key is not accepted: set ENLACE_API_KEY to one made with `enlace keys new`"
	case r.Title == "":
		return fmt.Sprintf("enlace answered %d %s", r.Status, http.StatusText(r.Status))
	case r.Detail == "" || r.Detail == r.Title:
		return r.Title
	}
	return strings.TrimSuffix(r.Title, ".") + ": " + r.Detail
}

// errUnreachable says that nobody answers.
var errUnreachable = errors.New("no enlace answers")

// call sends a request and decodes the answer. The error is a [*refusal], or wraps [errUnreachable].
func (c *client) call(ctx context.Context, method, path string, body, into any) error {
	var sent io.Reader = http.NoBody
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("write the request: %w", err)
		}
		sent = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, sent)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key.reveal())
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", uuid.NewString())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w at %s (%s): start one with `enlace dev`, or name it with ENLACE_URL", errUnreachable, c.base, reason(err))
	}
	defer func() { _ = resp.Body.Close() }()
	return decode(resp, into)
}

func decode(resp *http.Response, into any) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w to the end (%s)", errUnreachable, reason(err))
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		r := new(refusal)
		_ = json.Unmarshal(b, r) // a proxy's page has no words of ours
		r.Status = resp.StatusCode
		return r
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", resp.Request.URL.Path, err)
	}
	return nil
}

// syncRun is a sync run as the API shows it: the row, and its state in words.
type syncRun struct {
	store.Run

	JobID    *string `json:"job_id"`
	Title    string  `json:"title"`
	Sentence string  `json:"sentence"`
}

func (r syncRun) ended() bool { return r.Status == store.Completed || r.Status == store.Failed }

// account is an integration as the API shows it.
type account struct {
	store.Integration

	Title         string `json:"title"`
	ProviderTitle string `json:"provider_title"`
	Contacts      int64  `json:"contacts"`
}

// name is what a person calls it.
func (a account) name() string {
	if name := text(a.ExternalAccountName); name != "" {
		return a.ProviderTitle + " (" + name + ")"
	}
	return a.ProviderTitle
}

// list is a page of the API.
type list[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// all reads a whole list, up to so many rows.
func all[T any](ctx context.Context, c *client, path string, query url.Values, limit int) ([]T, error) {
	var rows []T
	for {
		var page list[T]
		if err := c.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		rows = append(rows, page.Items...)
		if page.NextCursor == nil || len(rows) >= limit {
			return rows[:min(len(rows), limit)], nil
		}
		query.Set("cursor", *page.NextCursor)
	}
}

// maxRows is as much as a person reads.
const maxRows = 1000

func (c *client) integrations(ctx context.Context) ([]account, error) {
	return all[account](ctx, c, "/v1/integrations", url.Values{}, maxRows)
}

// integration finds the one that a person means: by its id, or by its provider or account if there is one such.
func (c *client) integration(ctx context.Context, name string) (account, error) {
	if id, err := uuid.Parse(name); err == nil {
		var in account
		err := c.call(ctx, http.MethodGet, "/v1/integrations/"+id.String(), nil, &in)
		if r, ok := errors.AsType[*refusal](err); ok && r.Status == http.StatusNotFound {
			return in, fmt.Errorf("there is no integration %s: `enlace integrations` lists them", id)
		}
		return in, err
	}
	list, err := c.integrations(ctx)
	if err != nil {
		return account{}, err
	}
	var found []account
	for _, in := range list {
		if strings.EqualFold(in.Provider, name) || strings.EqualFold(text(in.ExternalAccountName), name) {
			found = append(found, in)
		}
	}
	switch len(found) {
	case 0:
		return account{}, fmt.Errorf("there is no integration %q: `enlace integrations` lists them", name)
	case 1:
		return found[0], nil
	}
	return account{}, usagef("%d integrations are called %q: name one by its id, `enlace integrations` lists them", len(found), name)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
