package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

func TestConnectSessionWorksOnce(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	wanted := uuid.New()
	meant := store.Connect{TenantID: uuid.New(), Provider: "pipedrive", Wanted: &wanted, Actor: "key:1"}
	token, expiresAt, err := s.CreateConnectSession(t.Context(), meant, time.Minute)
	require.NoError(t, err)
	now, err := s.Now(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, now.Add(time.Minute), expiresAt, 10*time.Second)

	_, err = s.UseConnectSession(t.Context(), token+"x")
	require.ErrorIs(t, err, store.ErrNotFound)
	got, err := s.UseConnectSession(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, meant, got)
	got, err = s.UseConnectSession(t.Context(), token)
	require.ErrorIs(t, err, store.ErrUsed)
	require.Equal(t, store.Connect{Provider: "pipedrive"}, got, "where to say so")

	late, _, err := s.CreateConnectSession(t.Context(), meant, 0)
	require.NoError(t, err)
	_, err = s.UseConnectSession(t.Context(), late)
	require.ErrorIs(t, err, store.ErrExpired)
}

func TestConsentComesBackOnceAndToItsBrowser(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	meant := store.Consent{Connect: store.Connect{TenantID: uuid.New(), Provider: "pipedrive", Actor: "demo"}, Verifier: "v"}
	begun, err := s.BeginConsent(t.Context(), meant, time.Minute)
	require.NoError(t, err)
	other, err := s.BeginConsent(t.Context(), meant, time.Minute)
	require.NoError(t, err)

	_, err = s.TakeConsent(t.Context(), store.BegunConsent{State: "x", Browser: begun.Browser})
	require.ErrorIs(t, err, store.ErrNotFound)
	got, err := s.TakeConsent(t.Context(), store.BegunConsent{State: begun.State, Browser: other.Browser})
	require.ErrorIs(t, err, store.ErrOtherBrowser)
	require.Equal(t, "pipedrive", got.Provider)
	got, err = s.TakeConsent(t.Context(), begun)
	require.NoError(t, err, "the other browser has not used it up")
	require.Equal(t, meant, got)
	_, err = s.TakeConsent(t.Context(), begun)
	require.ErrorIs(t, err, store.ErrUsed)

	require.NoError(t, s.EndConsent(t.Context(), begun.State, "connected"))
	var ended string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT concat_ws('/', result, coalesce(pkce_verifier, '-')) FROM oauth_states WHERE used_at IS NOT NULL`).Scan(&ended))
	require.Equal(t, "connected/-", ended)

	late, err := s.BeginConsent(t.Context(), meant, 0)
	require.NoError(t, err)
	_, err = s.TakeConsent(t.Context(), late)
	require.ErrorIs(t, err, store.ErrExpired)
}
