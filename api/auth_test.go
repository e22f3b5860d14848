package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
)

const issuer = "https://project.supabase.co/auth/v1"

// userClaims are those of a signed-in user.
func userClaims(tenant string) jwt.MapClaims {
	return jwt.MapClaims{
		"iss": issuer, "aud": "authenticated", "role": "authenticated", "sub": "0aa1f0f0-0000-4000-8000-000000000009",
		"exp": time.Now().Add(time.Hour).Unix(), "app_metadata": map[string]any{"tenant_id": tenant},
	}
}

// userToken is a token of a tenant's user, signed with the project's secret; change alters its claims.
func userToken(t *testing.T, tenant string, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := userClaims(tenant)
	if change != nil {
		change(claims)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
	require.NoError(t, err)
	return token
}

func TestWhoCalls(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	tenant, other := w.tenant.String(), w.other.String()
	revoked := w.newKey(t, w.tenant)
	_, err := w.pool.Exec(t.Context(), `UPDATE api_keys SET revoked_at = now() WHERE prefix = left($1, 13)`, revoked)
	require.NoError(t, err)
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, userClaims(tenant)).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	forged, err := jwt.NewWithClaims(jwt.SigningMethodHS256, userClaims(tenant)).SignedString([]byte("another project's secret, as long as ours"))
	require.NoError(t, err)
	token := userToken(t, tenant, nil)
	anon := userToken(t, tenant, func(c jwt.MapClaims) { c["role"] = "anon"; delete(c, "aud") })
	set := func(name string, v any) string { return userToken(t, tenant, func(c jwt.MapClaims) { c[name] = v }) }

	bearer := func(credential string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + credential}
	}
	cases := map[string]struct {
		header map[string]string
		query  string
		status int
		tenant string // whom the caller acts for; empty: nobody
		admin  bool
		hint   string
	}{
		"nobody":                              {status: 401},
		"a key":                               {header: bearer(w.key), status: 200, tenant: tenant},
		"a key in apikey":                     {header: map[string]string{"apikey": w.key}, status: 200, tenant: tenant},
		"a key in both, as supabase-js sends": {header: map[string]string{"apikey": w.key, "Authorization": "Bearer " + w.key}, status: 200, tenant: tenant},
		"a key in lower case bearer":          {header: map[string]string{"Authorization": "bearer " + w.key}, status: 200, tenant: tenant},
		"a user's token wins over apikey":     {header: map[string]string{"apikey": w.otherKey, "Authorization": "Bearer " + token}, status: 200, tenant: tenant},
		"a bad token isn't saved by apikey":   {header: map[string]string{"apikey": w.key, "Authorization": "Bearer " + forged}, status: 401},
		"a revoked key":                       {header: bearer(revoked), status: 401, hint: "revoked"},
		"a key that never was":                {header: bearer("enlace_nothing"), status: 401},
		"something else":                      {header: bearer("hello"), status: 401, hint: "enlace_"},
		"basic":                               {header: map[string]string{"Authorization": "Basic dTpw"}, status: 401, hint: "Bearer"},
		"the admin key":                       {header: bearer(adminKey), status: 200, admin: true},
		"the admin key with something behind": {header: bearer(adminKey + "x"), status: 401},
		"the admin key for a tenant": {
			header: map[string]string{"Authorization": "Bearer " + adminKey, "X-Enlace-Tenant": other}, status: 200, tenant: other, admin: true,
		},
		"the admin key for a tenant in the query": {header: bearer(adminKey), query: "?tenant_id=" + other, status: 200, tenant: other, admin: true},
		"the admin key for no tenant at all": {
			header: map[string]string{"Authorization": "Bearer " + adminKey, "X-Enlace-Tenant": "everybody"}, status: 422,
		},
		"a key for another tenant":                                {header: map[string]string{"Authorization": "Bearer " + w.key, "X-Enlace-Tenant": other}, status: 403},
		"a key for its own tenant":                                {header: map[string]string{"Authorization": "Bearer " + w.key, "X-Enlace-Tenant": tenant}, status: 200, tenant: tenant},
		"a key with another tenant in the query is still its own": {header: bearer(w.key), query: "?tenant_id=" + other, status: 200, tenant: tenant},
		"a user":                    {header: bearer(token), status: 200, tenant: tenant},
		"the project's anon key":    {header: map[string]string{"apikey": anon, "Authorization": "Bearer " + anon}, status: 401, hint: "anon"},
		"the publishable key":       {header: map[string]string{"apikey": "sb_publishable_x", "Authorization": "Bearer sb_publishable_x"}, status: 401, hint: "sign the user in"},
		"an expired token":          {header: bearer(set("exp", time.Now().Add(-time.Minute).Unix())), status: 401, hint: "expired"},
		"a token that never ends":   {header: bearer(userToken(t, tenant, func(c jwt.MapClaims) { delete(c, "exp") })), status: 401},
		"a token without signature": {header: bearer(none), status: 401},
		"a forged token":            {header: bearer(forged), status: 401},
		"another project's token":   {header: bearer(set("iss", "https://other.supabase.co/auth/v1")), status: 401, hint: "another project"},
		"another audience":          {header: bearer(set("aud", "anon")), status: 401},
		"the service role":          {header: bearer(set("role", "service_role")), status: 401},
		"a user without a tenant":   {header: bearer(userToken(t, tenant, func(c jwt.MapClaims) { delete(c, "app_metadata") })), status: 403, hint: "app_metadata.tenant_id"},
		"a tenant that the user wrote": {
			header: bearer(userToken(t, tenant, func(c jwt.MapClaims) {
				delete(c, "app_metadata")
				c["user_metadata"] = map[string]any{"tenant_id": tenant}
			})), status: 403,
		},
		"a tenant that isn't an id": {header: bearer(set("app_metadata", map[string]any{"tenant_id": "all"})), status: 403},
		"three parts of nothing":    {header: bearer("a.b.c"), status: 401},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := w.do(t, ask{path: "/v1/me" + c.query, header: c.header})
			require.Equal(t, c.status, got.StatusCode, "%s", got.body)
			if c.status != http.StatusOK {
				require.NotEmpty(t, got.text(t, "error"))
				if c.hint != "" {
					require.Contains(t, got.text(t, "hint"), c.hint)
				}
				return
			}
			me := got.json(t)
			require.Equal(t, c.admin, me["admin"])
			if c.tenant == "" {
				require.Nil(t, me["tenant_id"])
			} else {
				require.Equal(t, c.tenant, me["tenant_id"])
			}
		})
	}
}

func TestClocksMayDiffer(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	ended := userToken(t, w.tenant.String(), func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Second).Unix() })
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/v1/me", key: ended}).StatusCode)
}

// jwksHost serves the public keys of a project; it may be away, and its keys may change.
type jwksHost struct {
	set  atomic.Pointer[[]byte]
	asks atomic.Int64
}

func (h *jwksHost) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h.asks.Add(1)
	set := h.set.Load()
	if set == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write(*set)
}

// publish makes a new key, serves its public half alone, and returns the key.
func (h *jwksHost) publish(t *testing.T, id string) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	jwk, err := jwkset.NewJWKFromKey(key.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: id, ALG: jwkset.AlgES256, USE: jwkset.UseSig}})
	require.NoError(t, err)
	set, err := json.Marshal(map[string]any{"keys": []any{jwk.Marshal()}})
	require.NoError(t, err)
	h.set.Store(&set)
	return key
}

func signed(t *testing.T, key *ecdsa.PrivateKey, id, tenant string) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, userClaims(tenant))
	token.Header["kid"] = id
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return text
}

func TestPublicKeysOfUsers(t *testing.T) {
	t.Parallel()

	host := &jwksHost{}
	keys := httptest.NewServer(host)
	t.Cleanup(keys.Close)
	w := newWorld(t, func(o *api.Options) {
		o.JWT = api.JWTConfig{JWKSURL: keys.URL + "/jwks.json", Issuer: "https://project.supabase.co"}
	})
	me := func(token string) answer { return w.do(t, ask{path: "/v1/me", key: token}) }
	require.Eventually(t, func() bool { return host.asks.Load() > 0 }, 10*time.Second, 10*time.Millisecond)

	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tenant := w.tenant.String()

	// the server started although the keys are away; a user is asked to come again, not to sign in again
	away := me(signed(t, stranger, "first", tenant))
	require.Equal(t, http.StatusServiceUnavailable, away.StatusCode, "%s", away.body)
	require.NotEmpty(t, away.Header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, w.do(t, ask{path: "/v1/me", key: w.key}).StatusCode, "keys of our own need no one else")

	first := host.publish(t, "first")
	require.Eventually(t, func() bool { return me(signed(t, first, "first", tenant)).StatusCode == http.StatusOK }, 30*time.Second, 250*time.Millisecond,
		"the next refetch finds the key")
	require.Equal(t, http.StatusUnauthorized, me(signed(t, stranger, "first", tenant)).StatusCode)

	asked := host.asks.Load()
	for range 5 {
		require.Equal(t, http.StatusUnauthorized, me(signed(t, stranger, "unknown-"+uuid.NewString(), tenant)).StatusCode)
	}
	require.LessOrEqual(t, host.asks.Load()-asked, int64(3), "unknown keys make no storm of fetches")

	// a token that takes our public key for a secret
	hs := jwt.NewWithClaims(jwt.SigningMethodHS256, userClaims(tenant))
	hs.Header["kid"] = "first"
	confused, err := hs.SignedString(elliptic.Marshal(elliptic.P256(), first.X, first.Y)) //nolint:staticcheck // the attack itself
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, me(confused).StatusCode)
}

func TestWithoutAProjectNoUserIsKnown(t *testing.T) {
	t.Parallel()

	w := newWorld(t, func(o *api.Options) { o.JWT = api.JWTConfig{} })
	got := w.do(t, ask{path: "/v1/me", key: userToken(t, w.tenant.String(), nil)})
	require.Equal(t, http.StatusUnauthorized, got.StatusCode)
	require.Contains(t, got.text(t, "hint"), "SUPABASE_JWT_SECRET")
}

func TestWithoutAnAdminKeyNobodyHasIt(t *testing.T) {
	t.Parallel()

	w := newWorld(t, func(o *api.Options) { o.AdminKey = "" })
	require.Equal(t, http.StatusUnauthorized, w.do(t, ask{path: "/v1/me", header: map[string]string{"Authorization": "Bearer "}}).StatusCode)
	require.Equal(t, http.StatusUnauthorized, w.do(t, ask{path: "/metrics", header: map[string]string{"apikey": " "}}).StatusCode)
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	good := api.Options{Store: w.store, Jobs: w.jobs, Vault: w.vault, PublicURL: "https://enlace.example.com"}
	for name, change := range map[string]func(*api.Options){
		"PUBLIC_URL":        func(o *api.Options) { o.PublicURL = "enlace.example.com" },
		"DASHBOARD_URL":     func(o *api.Options) { o.DashboardURL = "ftp://x" },
		"ALLOWED_ORIGINS":   func(o *api.Options) { o.AllowedOrigins = []string{"*"} },
		"SUPABASE_JWKS_URL": func(o *api.Options) { o.JWT.JWKSURL = "keys" },
		"SUPABASE_URL":      func(o *api.Options) { o.JWT.Issuer = "project" },
		"Store":             func(o *api.Options) { o.Store = nil },
	} {
		o := good
		change(&o)
		_, err := api.New(o)
		require.ErrorContains(t, err, name)
	}
}
