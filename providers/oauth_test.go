package providers_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
)

// tokenHost is an OAuth side whose token host answers with h.
func tokenHost(t *testing.T, h http.HandlerFunc) *providers.OAuth {
	t.Helper()
	base, client := serve(t, h)
	return &providers.OAuth{
		Config: oauth2.Config{
			ClientID: "an id", ClientSecret: "a:secret&more", Scopes: []string{"read", "write"},
			Endpoint: oauth2.Endpoint{AuthURL: base + "/authorize", TokenURL: base + "/token"},
		},
		RevokeURL: base + "/revoke",
		Client:    client,
		Refusal: func(answer *providers.Answer) *providers.Error {
			e := &providers.Error{Kind: providers.Misconfigured, Status: answer.Status, Detail: string(answer.Body)}
			if strings.Contains(e.Detail, "invalid_grant") {
				e.Kind = providers.NeedsReauth
			}
			return e
		},
	}
}

func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

const granted = `{"access_token":"access-1","token_type":"bearer","refresh_token":"refresh-2","expires_in":3600,"scope":"read,write more"}`

func TestAuthCodeURL(t *testing.T) {
	t.Parallel()

	o := tokenHost(t, nil)
	o.AuthParams = map[string]string{"access_type": "offline"}
	query := func() url.Values {
		u, err := url.Parse(o.AuthCodeURL("the-state", "https://app.example/callback", "the-verifier"))
		require.NoError(t, err)
		return u.Query()
	}
	want := url.Values{
		"client_id": {"an id"}, "redirect_uri": {"https://app.example/callback"}, "response_type": {"code"}, "state": {"the-state"},
		"scope": {"read write"}, "access_type": {"offline"},
	}
	require.Equal(t, want, query(), "no challenge for a provider that doesn't know it")
	o.PKCE = true
	want.Set("code_challenge_method", "S256")
	want.Set("code_challenge", oauth2.S256ChallengeFromVerifier("the-verifier"))
	require.Equal(t, want, query())
}

func TestExchangeAndRefresh(t *testing.T) {
	t.Parallel()

	var forms []url.Values
	o := tokenHost(t, func(w http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		require.Equal(t, []string{"an+id", "a%3Asecret%26more"}, []string{user, secret}, "as RFC 6749 has it")
		require.NoError(t, r.ParseForm())
		forms = append(forms, r.PostForm)
		answerJSON(w, 200, granted)
	})
	o.PKCE = true
	begun := time.Now()
	grant, err := o.Exchange(t.Context(), "", "the-code", "https://app.example/callback", "the-verifier")
	require.NoError(t, err)
	require.Equal(t, []string{"read", "write", "more"}, grant.Scopes)
	require.WithinDuration(t, begun.Add(time.Hour), grant.ExpiresAt, time.Since(begun)+time.Second)
	require.Equal(t, []string{"access-1", "refresh-2"}, []string{grant.AccessToken, grant.RefreshToken})
	_, err = o.Refresh(t.Context(), "", "refresh-1")
	require.NoError(t, err)
	require.Equal(t, []url.Values{
		{"grant_type": {"authorization_code"}, "code": {"the-code"}, "redirect_uri": {"https://app.example/callback"}, "code_verifier": {"the-verifier"}},
		{"grant_type": {"refresh_token"}, "refresh_token": {"refresh-1"}},
	}, forms)
}

func TestAGrantWithoutExtras(t *testing.T) {
	t.Parallel()

	o := tokenHost(t, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, `{"access_token":"a"}`) })
	grant, err := o.Refresh(t.Context(), "", "refresh-1")
	require.NoError(t, err)
	require.Equal(t, providers.Grant{AccessToken: "a", RefreshToken: "refresh-1"}, grant, "the old refresh token stays")

	o.Complete = func(_ *oauth2.Token, g *providers.Grant) error {
		g.APIDomain = "https://elsewhere.example"
		return io.ErrUnexpectedEOF
	}
	grant, err = o.Refresh(t.Context(), "", "refresh-1")
	require.Equal(t, providers.Misconfigured, providers.KindOf(err))
	require.Equal(t, providers.Grant{AccessToken: "a", RefreshToken: "refresh-1"}, grant, "a refused domain costs no token")
}

func TestARefusalIsTriedOnceAndTellsNoSecret(t *testing.T) {
	t.Parallel()

	var calls atomic.Int64
	o := tokenHost(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_ = r.ParseForm()
		answerJSON(w, 400, `{"error":"invalid_grant","message":"`+r.PostForm.Encode()+` a:secret&more `+strings.Repeat("x ", 700_000)+`"}`)
	})
	_, err := o.Refresh(t.Context(), "", "refresh-1")
	require.Equal(t, providers.NeedsReauth, providers.KindOf(err))
	_, err2 := o.Exchange(t.Context(), "", "the-code", "", "")
	var refused *providers.Error
	require.ErrorAs(t, err2, &refused)
	require.Equal(t, providers.InvalidRequest, refused.Kind, "a person who connects starts again")
	require.Equal(t, "code", refused.Variant)
	err3 := o.Revoke(t.Context(), "", "refresh-1")
	require.Error(t, err3)
	for _, err := range []error{err, err2, err3} {
		for _, secret := range []string{"refresh-1", "the-code", "a:secret"} {
			require.NotContains(t, err.Error(), secret)
		}
		require.Less(t, len(err.Error()), 400)
	}
	require.EqualValues(t, 3, calls.Load())
}

func TestWhatIsNoGrantIsNeverAnEmptyOne(t *testing.T) {
	t.Parallel()

	for sentence, body := range map[string]string{"no token": `{"scope":"read"}`, "a page": `<html>`, "nothing": ``, "cut off": `{"access_token":"a`} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()

			o := tokenHost(t, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, body) })
			grant, err := o.Refresh(t.Context(), "", "refresh-1")
			require.Equal(t, providers.Transient, providers.KindOf(err))
			require.Empty(t, grant)
		})
	}
}

func TestTheClientSecretFollowsNoRedirect(t *testing.T) {
	t.Parallel()

	var calls atomic.Int64
	o := tokenHost(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	_, err := o.Refresh(t.Context(), "", "refresh-1")
	require.Equal(t, providers.Misconfigured, providers.KindOf(err))
	require.Equal(t, providers.Misconfigured, providers.KindOf(o.Revoke(t.Context(), "", "refresh-1")))
	require.EqualValues(t, 2, calls.Load())
}

// A refresh that was sent is broken off by its context alone; what a person waits for has a limit.
func TestOnlyTheContextEndsARefresh(t *testing.T) {
	t.Parallel()

	refreshing, answer := make(chan struct{}), make(chan struct{})
	o := tokenHost(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // the server notices a client that left only after the body
		if r.PostForm.Get("grant_type") == "refresh_token" {
			close(refreshing)
		}
		select {
		case <-answer:
			answerJSON(w, 200, granted)
		case <-r.Context().Done():
		}
	})
	o.Timeout = 20 * time.Millisecond
	o.Client.Timeout = 20 * time.Millisecond

	_, err := o.Exchange(t.Context(), "", "the-code", "", "")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, providers.Transient, providers.KindOf(err))
	require.Equal(t, providers.Transient, providers.KindOf(o.Revoke(t.Context(), "", "refresh-1")))

	done := make(chan error, 1)
	go func() {
		_, err := o.Refresh(context.WithoutCancel(t.Context()), "", "refresh-1")
		done <- err
	}()
	<-refreshing
	select {
	case err := <-done:
		require.NoError(t, err, "ended before its answer")
	case <-time.After(200 * time.Millisecond): // ten times the limit that it must not have
	}
	close(answer)
	require.NoError(t, <-done)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = o.Refresh(ctx, "", "refresh-1")
	require.ErrorIs(t, err, context.Canceled)
}

func TestRevokeWithTheSecretInTheForm(t *testing.T) {
	t.Parallel()

	o := tokenHost(t, func(w http.ResponseWriter, r *http.Request) {
		require.Empty(t, r.Header.Get("Authorization"))
		require.NoError(t, r.ParseForm())
		require.Equal(t, url.Values{"token": {"refresh-1"}, "token_type_hint": {"refresh_token"}, "client_id": {"an id"}, "client_secret": {"a:secret&more"}}, r.PostForm)
		w.WriteHeader(http.StatusOK)
	})
	o.Config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	require.NoError(t, o.Revoke(t.Context(), "", "refresh-1"))
}

func TestWithoutAWordOfItsOwnAProviderRefusesByTheStandard(t *testing.T) {
	t.Parallel()

	o := tokenHost(t, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 400, `{"error":"invalid_grant"}`) })
	o.Refusal = nil
	_, err := o.Refresh(t.Context(), "", "refresh-1")
	require.Equal(t, providers.NeedsReauth, providers.KindOf(err))
}

func TestScopesMayComeAsAList(t *testing.T) {
	t.Parallel()

	for body, want := range map[string][]string{
		`{"access_token":"a","scopes":["read","write",5]}`: {"read", "write"},
		`{"access_token":"a","scope":["read"]}`:            {"read"},
		`{"access_token":"a","scope":"read,write"}`:        {"read", "write"},
		`{"access_token":"a","scope":5}`:                   nil,
	} {
		o := tokenHost(t, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, body) })
		grant, err := o.Refresh(t.Context(), "", "refresh-1")
		require.NoError(t, err)
		require.Equal(t, want, grant.Scopes, body)
	}
}
