package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"example.com/enlace/providers/words"
)

// JWTConfig says whose users' tokens are accepted. All empty: nobody's.
type JWTConfig struct {
	Secret  string // the project's legacy JWT secret, for HS256
	JWKSURL string // the project's public keys, for ES256 and RS256: …/auth/v1/.well-known/jwks.json
	Issuer  string // "<SUPABASE_URL>/auth/v1"; a bare SUPABASE_URL is completed
}

// The spans of a verifier.
const (
	jwtLeeway     = 30 * time.Second // clocks differ
	jwksTimeout   = 10 * time.Second
	jwksWait      = 3 * time.Second
	jwksRefresh   = time.Hour
	jwksUnknownID = 10 * time.Second // at most one refetch in this span for key ids that nobody knows
)

// claims are those of a Supabase access token. user_metadata is not read: users write it themselves.
type claims struct {
	jwt.RegisteredClaims

	Role        string `json:"role"`
	AppMetadata struct {
		TenantID string `json:"tenant_id"`
	} `json:"app_metadata"`
}

// verifier checks users' tokens. It works without its JWKS until that can be read.
type verifier struct {
	config JWTConfig
	parser *jwt.Parser
	log    zerolog.Logger
	now    func() time.Time
	jwks   atomic.Pointer[jwkset.Storage]
}

func newVerifier(c JWTConfig, log zerolog.Logger, now func() time.Time) (*verifier, error) {
	v := &verifier{config: c, log: log, now: now}
	options := []jwt.ParserOption{
		jwt.WithAudience("authenticated"), jwt.WithExpirationRequired(), jwt.WithLeeway(jwtLeeway), jwt.WithTimeFunc(now),
	}
	var methods []string
	if c.Secret != "" {
		methods = append(methods, "HS256")
	}
	if c.JWKSURL != "" {
		if _, err := parseAddress("SUPABASE_JWKS_URL", c.JWKSURL); err != nil {
			return nil, err
		}
		methods = append(methods, "ES256", "RS256")
	}
	if c.Issuer != "" {
		u, err := parseAddress("SUPABASE_URL", c.Issuer)
		if err != nil {
			return nil, err
		}
		issuer := u.String()
		if !strings.HasSuffix(issuer, "/auth/v1") {
			issuer += "/auth/v1"
		}
		options = append(options, jwt.WithIssuer(issuer))
	}
	v.parser = jwt.NewParser(append(options, jwt.WithValidMethods(methods))...)
	return v, nil
}

// run keeps the public keys until ctx ends. A host that doesn't answer holds nobody up.
func (v *verifier) run(ctx context.Context) {
	if v.config.JWKSURL == "" {
		return
	}
	source, err := jwkset.NewStorageFromHTTP(v.config.JWKSURL, jwkset.HTTPClientStorageOptions{
		Client: &http.Client{Timeout: jwksTimeout}, Ctx: ctx, HTTPTimeout: jwksTimeout, NoErrorReturnFirstHTTPReq: true, RefreshInterval: jwksRefresh,
		RefreshErrorHandler: func(_ context.Context, err error) {
			v.log.Warn().Err(err).Msg("the public keys of user tokens could not be read; the next token tries again")
		},
	})
	if err != nil {
		v.log.Error().Err(err).Msg("the address of public keys is refused")
		return
	}
	keys, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{v.config.JWKSURL: source},
		RateLimitWaitMax:  jwksWait, // for the limit, and for the refetch
		RefreshUnknownKID: rate.NewLimiter(rate.Every(jwksUnknownID), 1),
	})
	if err != nil {
		v.log.Error().Err(err).Msg("the public keys can't be kept")
		return
	}
	v.jwks.Store(&keys)
}

// errKeysAway says that a token can't be judged yet.
var errKeysAway = errors.New("the public keys of user tokens have not been read yet")

// key finds the key that a token must be signed with. The method is one of those that are allowed: a public key is never
// taken for a secret.
func (v *verifier) key(ctx context.Context) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		if token.Method == jwt.SigningMethodHS256 {
			return []byte(v.config.Secret), nil
		}
		keys := v.jwks.Load()
		if keys == nil {
			return nil, errKeysAway
		}
		find, err := keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: *keys, UseWhitelist: []jwkset.USE{"", jwkset.UseSig}})
		if err != nil {
			return nil, fmt.Errorf("find key: %w", err)
		}
		key, err := find.KeyfuncCtx(ctx)(token)
		if err != nil {
			if all, readErr := (*keys).KeyReadAll(ctx); readErr == nil && len(all) == 0 {
				return nil, errKeysAway
			}
		}
		return key, err
	}
}

// principal is the user of a token.
func (v *verifier) principal(ctx context.Context, token string) (Principal, error) {
	if v.config.Secret == "" && v.config.JWKSURL == "" {
		return Principal{}, unauthorized("User tokens are not accepted here: neither SUPABASE_JWT_SECRET nor SUPABASE_JWKS_URL is set.")
	}
	var c claims
	_, err := v.parser.ParseWithClaims(token, &c, v.key(ctx))
	switch {
	case errors.Is(err, errKeysAway):
		return Principal{}, &fault{code: words.Internal, status: http.StatusServiceUnavailable, retryAt: v.now().Add(retryDatabase), err: err}
	case c.Role == "anon": // also if it isn't genuine: both are refused, and this is the more helpful reason
		return Principal{}, unauthorized("This is the project's anon key, not a user's session: sign the user in, then call again.")
	case err != nil:
		f := unauthorized(hintOfToken(err))
		f.err = err
		return Principal{}, f
	case c.Role != "authenticated":
		return Principal{}, unauthorized("The token's role is not authenticated.")
	}
	tenant, err := uuid.Parse(c.AppMetadata.TenantID)
	if err != nil || tenant == uuid.Nil {
		f := forbidden("app_metadata.tenant_id")
		f.hint = "The token names no tenant: app_metadata.tenant_id must hold its UUID."
		return Principal{}, f
	}
	return Principal{Tenant: tenant, Actor: "user:" + c.Subject, ExpiresAt: c.ExpiresAt.Time}, nil
}

// hintOfToken says why a token is refused, in words that tell an attacker nothing new.
func hintOfToken(err error) string {
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return "The token has expired: refresh the session."
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), errors.Is(err, jwt.ErrTokenInvalidAudience):
		return "The token is another project's, or not a user's."
	}
	return "The token is not valid for this project."
}
