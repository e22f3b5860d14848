package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// authority issues and judges Pipedrive's codes and tokens. Tokens carry what
// they stand for under a MAC instead of being looked up, so that a connection
// made before the sandbox restarted still works after it.
type authority struct {
	clock *clock
	mac   []byte
	run   string        // tells this process's grants from those before a restart
	idle  time.Duration // how long a refresh token lives unused; 0 for ever

	mu           sync.Mutex
	clientID     string
	clientSecret string
	codes        map[string]*code
	grants       map[string]*grant
	serial       int // of grants and access tokens in this process
	expiredUpTo  int // access tokens up to this serial are expired early
	expiredOlder bool
	endedOlder   map[int]bool // companies whose grants from before a restart ended
}

// grant is what a user allowed: one refresh token in its newest generation.
type grant struct {
	id            string
	company, user int
	scope         string
	redirectURI   string
	generation    int
	used          time.Time
	dead          bool
	revoked       bool // only the refresh token is dead: access tokens in hand live on
}

func (g grant) name() string { return fmt.Sprintf("company %d user %d", g.company, g.user) }

type code struct {
	company, user int
	redirectURI   string
	expires       time.Time
	used          bool
}

const (
	codeLife         = 5 * time.Minute
	idleLife         = 60 * 24 * time.Hour // of an unused refresh token
	accessTokenChars = 832
)

var (
	errRefreshToken = errors.New("refresh token refused")
	errCode         = errors.New("authorization code refused")
	errRedirectURI  = errors.New("redirect_uri differs")
)

func newAuthority(c *clock, cfg Config) *authority {
	key := sha256.Sum256(fmt.Appendf(nil, "sandbox tokens %d", cfg.Seed))
	return &authority{
		clock: c, mac: key[:], run: randomHex(4), idle: idleLife, clientID: cfg.ClientID, clientSecret: cfg.ClientSecret,
		codes: map[string]*code{}, grants: map[string]*grant{}, endedOlder: map[int]bool{},
	}
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// newCode is what the callback gets after consent.
func (a *authority) newCode(c *company, redirectURI string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := randomHex(20)
	a.codes[text] = &code{company: c.id, user: c.user, redirectURI: redirectURI, expires: a.clock.now().Add(codeLife)}
	return text
}

// exchange turns a code into a grant, once.
func (a *authority) exchange(text, redirectURI, scope string) (grant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.codes[text]
	switch {
	case !ok || c.used || !a.clock.now().Before(c.expires):
		return grant{}, errCode
	case c.redirectURI != redirectURI:
		return grant{}, errRedirectURI
	}
	c.used = true
	return *a.grantTo(c.company, c.user, scope, redirectURI), nil
}

// issue makes a grant without a browser.
func (a *authority) issue(c *company, scope string) grant {
	a.mu.Lock()
	defer a.mu.Unlock()
	return *a.grantTo(c.id, c.user, scope, "")
}

func (a *authority) grantTo(company, user int, scope, redirectURI string) *grant {
	a.serial++
	g := &grant{
		id: fmt.Sprintf("%s%08x", a.run, a.serial), company: company, user: user,
		scope: scope, redirectURI: redirectURI, used: a.clock.now(),
	}
	a.grants[g.id] = g
	return g
}

// refresh takes a refresh token and returns its grant, one generation on if
// tokens rotate.
func (a *authority) refresh(token string, rotate bool, scope string) (grant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g, generation, ok := a.parseRefreshToken(token)
	now := a.clock.now()
	if !ok || g.dead || g.revoked || generation != g.generation || a.idle > 0 && now.Sub(g.used) >= a.idle {
		return grant{}, errRefreshToken
	}
	if rotate {
		g.generation++
	}
	g.used = now
	g.scope = scope
	a.grants[g.id] = g
	return *g, nil
}

// refreshToken is user:company:grant, generation and MAC.
func (a *authority) refreshToken(g grant) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.formatRefreshToken(g)
}

func (a *authority) formatRefreshToken(g grant) string {
	open := fmt.Sprintf("%d:%d:%s%04x", g.user, g.company, g.id, g.generation)
	return open + a.sign("refresh", open)[:20]
}

func (a *authority) parseRefreshToken(token string) (*grant, int, bool) {
	parts := strings.Split(token, ":")
	if len(parts) != 3 || len(parts[2]) != 40 {
		return nil, 0, false
	}
	user, err1 := strconv.Atoi(parts[0])
	company, err2 := strconv.Atoi(parts[1])
	generation, err3 := strconv.ParseInt(parts[2][16:20], 16, 32)
	presented := grant{id: parts[2][:16], user: user, company: company, generation: int(generation)}
	if errors.Join(err1, err2, err3) != nil || a.formatRefreshToken(presented) != token {
		return nil, 0, false
	}
	return a.lookup(presented), presented.generation, true
}

// lookup finds the grant that a token names. One from before a restart is taken
// as the token presents it.
func (a *authority) lookup(presented grant) *grant {
	if g, ok := a.grants[presented.id]; ok {
		return g
	}
	presented.used = a.clock.now()
	presented.dead = a.endedOlder[presented.company] || a.endedOlder[allCompanies]
	return &presented
}

// accessToken makes a new access token: long, as the live ones are.
func (a *authority) accessToken(g grant, life time.Duration) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	payload := fmt.Sprintf("%s.%d.%d.%d.%d.%s", g.id, g.company, g.user, a.serial, a.clock.now().Add(life).Unix(), g.scope)
	open := "v1u:" + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "."
	filler := a.sign("filler", open)
	open += strings.Repeat(filler, accessTokenChars/len(filler))[:accessTokenChars-len(open)-65] + "."
	return open + a.sign("access", open)
}

// verify judges an access token.
func (a *authority) verify(token string) (grant, bool) {
	g, expired, ok := a.inspect(token)
	return g, ok && !expired && !g.dead
}

// inspect reads an access token; ok if we issued it. The grant may be dead.
func (a *authority) inspect(token string) (g grant, expired, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	end := strings.LastIndexByte(token, '.')
	if end < 0 || !hmac.Equal([]byte(a.sign("access", token[:end+1])), []byte(token[end+1:])) {
		return grant{}, false, false
	}
	encoded, _, _ := strings.Cut(strings.TrimPrefix(token, "v1u:"), ".")
	payload, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return grant{}, false, false
	}
	parts := strings.SplitN(string(payload), ".", 6)
	var fields [4]int // company, user, serial, expiry
	for i := range fields {
		if fields[i], err = strconv.Atoi(parts[i+1]); err != nil {
			return grant{}, false, false
		}
	}
	g = *a.lookup(grant{id: parts[0], company: fields[0], user: fields[1]})
	g.scope = parts[5]
	early := fields[2] <= a.expiredUpTo
	if !strings.HasPrefix(g.id, a.run) {
		early = a.expiredOlder
	}
	return g, early || a.clock.now().Unix() >= int64(fields[3]), true
}

// expireAccessTokens makes the provider refuse all access tokens issued so far.
func (a *authority) expireAccessTokens() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expiredUpTo, a.expiredOlder = a.serial, true
}

// revokeToken ends the installation that a refresh token stands for. It is false
// for a token that is not one.
func (a *authority) revokeToken(token string) bool {
	a.mu.Lock()
	g, _, ok := a.parseRefreshToken(token)
	a.mu.Unlock()
	if !ok {
		return false
	}
	a.uninstall(g.company)
	return true
}

// endRefreshToken kills one refresh token and leaves its access tokens alive. It
// is false for a token that is not one.
func (a *authority) endRefreshToken(token string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	g, _, ok := a.parseRefreshToken(token)
	if ok {
		g.revoked = true
		a.grants[g.id] = g
	}
	return ok
}

// allCompanies in the place of a company's id means every one.
const allCompanies = 0

// uninstall ends all grants of a company. It returns where the app's callback
// was and how many grants ended.
func (a *authority) uninstall(company int) (callback string, ended int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.endedOlder[company] = true
	for _, g := range a.grants {
		if (company != allCompanies && g.company != company) || g.dead {
			continue
		}
		g.dead = true
		ended++
		if g.redirectURI != "" {
			callback = g.redirectURI
		}
	}
	return callback, ended
}

// isClient judges our app's credentials.
func (a *authority) isClient(id, secret string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return id == a.clientID && hmac.Equal([]byte(secret), []byte(a.clientSecret))
}

func (a *authority) client() (id, secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clientID, a.clientSecret
}

func (a *authority) setClient(id, secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clientID, a.clientSecret = id, secret
}

func (a *authority) sign(purpose, text string) string {
	m := hmac.New(sha256.New, a.mac)
	_, _ = fmt.Fprintf(m, "%s\n%s", purpose, text)
	return hex.EncodeToString(m.Sum(nil))
}
