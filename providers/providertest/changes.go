package providertest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

// ChangesSandbox is one connected account at a provider's fake that tells of its changes.
type ChangesSandbox interface {
	Sandbox

	Provider(t *testing.T) *providers.Provider
	Account(t *testing.T) (providers.Account, *http.Client)

	// Target is called once before anything changes where one setting serves all accounts ([providers.Changes] without
	// Subscribe): the fake sends its notifications there.
	Target(t *testing.T, url string)

	Subscriptions(t *testing.T) int // that the fake has of the account
	Lose(t *testing.T)              // the fake forgets them
}

// Changes is the way of change notices of an adapter under test.
type Changes struct {
	Sandbox func(t *testing.T) ChangesSandbox
}

// Run checks what [providers.Changes] promises.
func (c Changes) Run(t *testing.T) {
	t.Helper()
	for sentence, test := range map[string]func(*testing.T, ChangesSandbox){
		"what changes is told, by the ids that lists tell":       told,
		"what isn't the provider's word is refused":              forged,
		"a notice that is cut off or odd is no reason to panic":  mangled,
		"a subscription is made once, renewed, made anew, ended": subscription,
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); test(t, c.Sandbox(t)) })
	}
}

// receiver is where the fake sends its notifications.
type receiver struct {
	url string

	mu   sync.Mutex
	came []providers.Notification
}

const (
	channel       = "0190b5e2-0000-7000-8000-0000000000c1"
	channelSecret = "Secret0123456789Secret0123456789Secret"
)

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.came = append(r.came, providers.Notification{URL: r.url + req.URL.RequestURI(), Header: req.Header.Clone(), Body: body})
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// await returns the first notification that the adapter reads as one of the record.
func (r *receiver) await(t *testing.T, changes *providers.Changes, secret, id string) (n providers.Notification, change providers.Change) {
	t.Helper()
	seen := 0
	require.Eventually(t, func() bool {
		r.mu.Lock()
		fresh := slices.Clone(r.came[seen:])
		r.mu.Unlock()
		for _, got := range fresh {
			seen++
			got.Secret = secret
			list, err := changes.Read(got)
			require.NoError(t, err)
			for _, c := range list {
				if slices.Contains(c.ExternalIDs, id) {
					n, change = got, c
					return true
				}
			}
		}
		return false
	}, 20*time.Second, 5*time.Millisecond, "no notice of record %s", id)
	return n, change
}

// subscribe makes the fake notify the receiver, and returns the secret by which it proves itself.
func subscribe(t *testing.T, s ChangesSandbox, r *receiver) (secret string) {
	t.Helper()
	changes := s.Provider(t).Changes
	if changes.Subscribe == nil {
		s.Target(t, r.url+"/webhooks/provider")
		return ""
	}
	account, client := s.Account(t)
	made, err := changes.Subscribe(t.Context(), account, client, wanted(r))
	require.NoError(t, err)
	require.NotEmpty(t, made.ID)
	return channelSecret
}

func wanted(r *receiver) providers.Subscription {
	return providers.Subscription{Channel: channel, URL: r.url + "/webhooks/provider/" + channel, Secret: channelSecret}
}

func told(t *testing.T, s ChangesSandbox) {
	t.Helper()
	r := receive(t)
	secret := subscribe(t, s, r)
	changes := s.Provider(t).Changes
	account, _ := s.Account(t)
	living := s.Living(t)

	s.Update(t, living[0])
	_, changed := r.await(t, changes, secret, living[0])
	require.False(t, changed.Deleted)
	require.Contains(t, []string{"", account.ExternalID}, changed.Account)
	if changes.Subscribe == nil {
		require.Equal(t, account.ExternalID, changed.Account, "nothing else says whose it is")
	}

	s.Delete(t, living[1])
	_, deleted := r.await(t, changes, secret, living[1])
	require.True(t, deleted.Deleted)
	if changed.Key != "" {
		require.NotEqual(t, changed.Key, deleted.Key, "two events")
	}
}

func forged(t *testing.T, s ChangesSandbox) {
	t.Helper()
	r := receive(t)
	secret := subscribe(t, s, r)
	changes := s.Provider(t).Changes
	living := s.Living(t)
	s.Update(t, living[0])
	real, _ := r.await(t, changes, secret, living[0])

	refuse := func(why string, change func(n *providers.Notification)) {
		n := real
		n.Header = real.Header.Clone()
		n.Body = slices.Clone(real.Body)
		change(&n)
		list, err := changes.Read(n)
		require.ErrorIs(t, err, providers.ErrUnverified, why)
		require.Empty(t, list)
	}
	if changes.Subscribe != nil {
		refuse("another channel's secret", func(n *providers.Notification) { n.Secret = "Another0123456789" })
		refuse("no secret at all", func(n *providers.Notification) { n.Secret = "" })
		return
	}
	refuse("no signature", func(n *providers.Notification) { n.Header = http.Header{} })
	refuse("another body", func(n *providers.Notification) { n.Body = append(n.Body, ' ') })
	refuse("another address", func(n *providers.Notification) { n.URL += "?x=1" })
}

func mangled(t *testing.T, s ChangesSandbox) {
	t.Helper()
	r := receive(t)
	secret := subscribe(t, s, r)
	changes := s.Provider(t).Changes
	living := s.Living(t)
	s.Update(t, living[0])
	real, _ := r.await(t, changes, secret, living[0])
	bodies := [][]byte{nil, []byte("null"), []byte("[]"), []byte("{}"), []byte(`[null]`), []byte(`{"meta":null,"data":[]}`), []byte("\xff\xfe")}
	for i := range real.Body {
		bodies = append(bodies, real.Body[:i])
	}
	for _, body := range bodies {
		n := real
		n.Body = body
		list, err := changes.Read(n)
		require.True(t, err != nil || len(list) == 0, "%q was read as %v", body, list)
	}
}

func subscription(t *testing.T, s ChangesSandbox) {
	t.Helper()
	changes := s.Provider(t).Changes
	if changes.Subscribe == nil {
		return // one setting at the provider serves all accounts
	}
	r := receive(t)
	account, client := s.Account(t)
	first, err := changes.Subscribe(t.Context(), account, client, wanted(r))
	require.NoError(t, err)
	require.Equal(t, wanted(r).URL, first.URL)
	require.Equal(t, 1, s.Subscriptions(t))

	for _, known := range []providers.Subscription{wanted(r), first} { // its answer was lost; or it is to be renewed
		again, err := changes.Subscribe(t.Context(), account, client, known)
		require.NoError(t, err)
		require.Equal(t, first.ID, again.ID)
		require.Equal(t, 1, s.Subscriptions(t))
		require.Equal(t, first.ExpiresAt.IsZero(), again.ExpiresAt.IsZero())
	}

	s.Lose(t)
	anew, err := changes.Subscribe(t.Context(), account, client, first)
	require.NoError(t, err)
	require.NotEmpty(t, anew.ID)
	require.Equal(t, 1, s.Subscriptions(t))

	for range 2 {
		require.NoError(t, changes.Unsubscribe(t.Context(), account, client, anew), "one that is gone is no error")
		require.Zero(t, s.Subscriptions(t))
	}
}
