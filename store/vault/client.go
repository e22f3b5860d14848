package vault

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

// Client is an account's HTTP client, for its adapter. Its requests carry the account's token and reach the account's API
// and no other host. It is safe for concurrent use.
type Client struct {
	*http.Client

	calls      atomic.Int64
	generation atomic.Int64
}

// Calls is how many requests have been sent to the provider, repeated ones included; the token host's are not counted.
func (c *Client) Calls() int64 { return c.calls.Load() }

// Generation is that of the token sent last; [NoneFailed] before the first request. A caller who wants another token for
// a reason of its own, such as an account that has moved, passes it to [Vault.Token].
func (c *Client) Generation() int64 { return c.generation.Load() }

// Client makes a client for an account. A 401 renews the token once, and repeats the request once if its body, if any, can
// be had again (GetBody); a second 401 is the adapter's to judge. A token that can't be had is the [*providers.Error] inside the client's error, and
// so is an API domain that the provider doesn't trust: a row is no proof, since others than enlace may write to it.
func (v *Vault) Client(integration uuid.UUID, account providers.Account) *Client {
	c := &Client{}
	c.generation.Store(NoneFailed)
	var trusted atomic.Bool
	c.Client = v.httpClient(account.APIDomain, func(home *host) http.RoundTripper {
		return &transport{base: v.opts.Transport, home: home, client: c, token: func(ctx context.Context, failed int64) (Token, error) {
			if !trusted.Load() {
				if err := v.trust(ctx, integration, account.APIDomain); err != nil {
					return Token{}, err
				}
				trusted.Store(true)
			}
			return v.Token(ctx, integration, failed)
		}}
	})
	return c
}

// trust refuses an API domain that isn't the provider's own. None is the one that the adapter names.
func (v *Vault) trust(ctx context.Context, integration uuid.UUID, domain string) error {
	if domain == "" {
		return nil
	}
	row, err := v.store.Tokens(ctx, integration, store.TokenAges{})
	if err != nil {
		return err
	}
	p := v.providers[row.Provider]
	if p == nil || p.OAuth == nil || p.OAuth.TrustsDomain == nil || p.OAuth.TrustsDomain(domain) {
		return nil
	}
	return &providers.Error{Kind: providers.Misconfigured, Op: row.Provider + ": read the API domain", Detail: "the account's row names an API domain that is not the provider's"}
}

// GrantClient makes a client for an account that has no row yet: it sends the grant's own token and renews nothing.
func (v *Vault) GrantClient(provider string, grant providers.Grant) *http.Client {
	return v.httpClient(grant.APIDomain, func(home *host) http.RoundTripper {
		return &transport{base: v.opts.Transport, home: home, client: &Client{}, fixed: true, token: func(context.Context, int64) (Token, error) {
			return Token{Access: grant.AccessToken, Scheme: v.scheme(provider)}, nil
		}}
	})
}

// scheme begins a provider's Authorization header; empty: the usual one.
func (v *Vault) scheme(provider string) string {
	if p := v.providers[provider]; p != nil && p.OAuth != nil {
		return p.OAuth.Scheme
	}
	return ""
}

// httpClient follows no redirect: an API that sends its callers elsewhere is for the adapter to judge.
func (v *Vault) httpClient(apiDomain string, transport func(home *host) http.RoundTripper) *http.Client {
	home, err := url.Parse(apiDomain)
	if err != nil {
		home = &url.URL{Scheme: "invalid"} // matches no request
	}
	return &http.Client{
		Transport:     transport(&host{scheme: home.Scheme, name: home.Host}),
		Timeout:       v.opts.Request,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// host is where an account's API is. One without a name, of an account whose grants tell none, is the first that its
// adapter asks: the provider's own.
type host struct {
	scheme, name string
	first        sync.Once
}

func (h *host) is(u *url.URL) bool {
	h.first.Do(func() {
		if h.scheme == "" && h.name == "" {
			h.scheme, h.name = u.Scheme, u.Host
		}
	})
	return u.Host != "" && u.Scheme == h.scheme && u.Host == h.name
}

// transport puts the token on requests to one host.
type transport struct {
	base   http.RoundTripper
	home   *host
	client *Client
	fixed  bool // the token can't be renewed
	token  func(ctx context.Context, failed int64) (Token, error)
}

// RoundTrip is that of [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	bodyless := req.Body == nil || req.Body == http.NoBody
	if !bodyless {
		defer req.Body.Close() // RoundTrip must close it, sent or not
	}
	if !t.home.is(req.URL) {
		return nil, &providers.Error{Kind: providers.Misconfigured, Detail: fmt.Sprintf("a token is never sent to %s, which is not the account's host", req.URL.Host)}
	}
	token, err := t.token(req.Context(), NoneFailed)
	if err != nil {
		return nil, err
	}
	resp, err := t.send(req, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || t.fixed {
		return resp, err
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
	_ = resp.Body.Close()
	token, err = t.token(req.Context(), token.Generation)
	if err != nil {
		return nil, err
	}
	switch {
	case bodyless:
		return t.send(req, token)
	case req.GetBody == nil:
		return nil, &providers.Error{Kind: providers.Transient, Status: http.StatusUnauthorized, Detail: "the token was renewed; the request was refused, and not sent again"}
	}
	again := req.Clone(req.Context())
	if again.Body, err = req.GetBody(); err != nil {
		return nil, fmt.Errorf("read the request's body again: %w", err)
	}
	return t.send(again, token)
}

func (t *transport) send(req *http.Request, token Token) (*http.Response, error) {
	t.client.calls.Add(1)
	t.client.generation.Store(token.Generation)
	authorized := req.Clone(req.Context())
	authorized.Header.Set("Authorization", cmp.Or(token.Scheme, "Bearer")+" "+token.Access)
	return t.base.RoundTrip(authorized)
}
