package vault

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

// Options are a vault's spans and edges; a zero value is the one in brackets.
type Options struct {
	Lease    time.Duration // of a refresh [45 s]; longer than Wait
	Wait     time.Duration // for the token host, by who wants the token [20 s]
	Exchange time.Duration // after which an exchange with the token host is broken off [10 min]
	Doubt    time.Duration // before a refusal after a takeover is believed [30 s]
	AskAgain time.Duration // before a refusal that a host gives by mistake at times is heard again, and believed [30 s]
	Early    time.Duration // before its end, a token is refreshed [5 min]
	Spare    time.Duration // before its end, a token is still sent if there is no other [30 s]
	Rest     time.Duration // after a failed refresh, while the old token still serves [30 s]
	Echo     time.Duration // how long a failed refresh answers for those who ask next, in one process [1 s]
	Poll     time.Duration // how often a waiting caller looks, about [250 ms]
	Request  time.Duration // bounds a request of a client, with the renewal before it [75 s]
	Revoke   time.Duration // bounds the withdrawal of a permission [10 s]
	Notices  time.Duration // bounds the end of a subscription to notifications, before a disconnect [5 s]

	FirstSync time.Duration     // from a first connect to the first scheduled sync [15 min]
	Transport http.RoundTripper // toward the providers' APIs [providers.NewTransport]
	Log       zerolog.Logger    // of what nobody waits for any more
}

func (o Options) withDefaults() Options {
	for field, value := range map[*time.Duration]time.Duration{
		&o.Lease: 45 * time.Second, &o.Wait: 20 * time.Second, &o.Exchange: 10 * time.Minute, &o.Doubt: 30 * time.Second,
		&o.AskAgain: 30 * time.Second, &o.Early: 5 * time.Minute, &o.Spare: 30 * time.Second, &o.Rest: 30 * time.Second, &o.Echo: time.Second, &o.Poll: 250 * time.Millisecond,
		&o.Request: 75 * time.Second, &o.Revoke: 10 * time.Second, &o.Notices: 5 * time.Second,
		&o.FirstSync: 15 * time.Minute,
	} {
		if *field == 0 {
			*field = value
		}
	}
	if o.Transport == nil {
		o.Transport = providers.NewTransport(providers.HeaderTimeout)
	}
	return o
}

// Vault seals, opens and renews tokens. It is safe for concurrent use.
type Vault struct {
	store     *store.Store
	keys      *Keyring
	providers map[string]*providers.Provider
	opts      Options
	failures  failures

	stop     chan struct{} // closed by Close
	mu       sync.Mutex    // over closed, and over adding to inFlight
	closed   bool
	inFlight sync.WaitGroup // exchanges
}

// New returns a vault for the given providers' accounts.
func New(s *store.Store, keys *Keyring, list []*providers.Provider, opts Options) *Vault {
	v := &Vault{store: s, keys: keys, providers: map[string]*providers.Provider{}, opts: opts.withDefaults(), stop: make(chan struct{})}
	v.failures.last = map[uuid.UUID]failure{}
	for _, p := range list {
		v.providers[p.Name] = p
	}
	return v
}

// Close begins no new exchange and waits for those under way, whose answers may be the only copy of a refresh token.
// The error is that of ctx. Close the vault after the workers have stopped and before the pool is closed.
func (v *Vault) Close(ctx context.Context) error {
	v.mu.Lock()
	if !v.closed {
		v.closed = true
		close(v.stop)
	}
	v.mu.Unlock()
	done := make(chan struct{})
	go func() {
		v.inFlight.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin registers an exchange; false: the vault is closed.
func (v *Vault) begin() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.closed {
		v.inFlight.Add(1)
	}
	return !v.closed
}

// Seal encrypts a text for one column of an integration.
func (v *Vault) Seal(integration uuid.UUID, column Column, plaintext string) string {
	return v.keys.Seal(integration, column, plaintext)
}

// Open decrypts a stored text. A failure is a [providers.Error] of kind misconfigured, variant key, around an [*OpenError].
func (v *Vault) Open(integration uuid.UUID, column Column, sealed string) (string, error) {
	return v.open("open token", integration, column, sealed)
}

func (v *Vault) open(op string, integration uuid.UUID, column Column, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	text, err := v.keys.Open(integration, column, sealed)
	if e, ok := errors.AsType[*OpenError](err); ok {
		return "", e.misconfigured(op)
	}
	return text, err
}

// sealGrant makes of a grant what its row stores. The lifetime is measured now, by this process's clock, and counted
// from now by the database's: the two may be minutes apart.
func (v *Vault) sealGrant(integration uuid.UUID, g providers.Grant) store.NewTokens {
	t := store.NewTokens{AccessToken: v.Seal(integration, AccessToken, g.AccessToken), APIDomain: g.APIDomain, AuthServer: g.AuthServer}
	if g.RefreshToken != "" {
		t.RefreshToken = v.Seal(integration, RefreshToken, g.RefreshToken)
	}
	if !g.ExpiresAt.IsZero() {
		lifetime := time.Until(g.ExpiresAt)
		t.Lifetime = &lifetime
	}
	if len(g.Scopes) > 0 {
		t.Scopes = g.Scopes
	}
	return t
}
