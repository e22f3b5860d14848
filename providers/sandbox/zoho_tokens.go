package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// zohoAuthority issues and judges Zoho's codes and tokens, of all data centres.
// Tokens carry what they stand for under a MAC instead of being looked up, so
// that a connection made before the sandbox restarted still works after it.
type zohoAuthority struct {
	clock *clock
	mac   []byte
	run   uint32 // tells this process's grants from those before a restart

	mu           sync.Mutex
	clientID     string
	secrets      map[string]string // by data centre; "" is the one of all others
	codes        map[string]*zohoCode
	grants       map[uint64]*zohoGrant // by key
	byUser       map[uint16][]uint64   // keys of the living refresh tokens of an org's user, oldest first
	consented    map[uint16]bool       // orgs whose user allowed the app before
	serial       uint32                // of grants and access tokens in this process
	expiredUpTo  uint32                // access tokens up to this serial are expired early
	expiredOlder bool
	endedOlder   map[int]bool // orgs whose grants from before a restart ended
}

// zohoGrant is what a user allowed.
type zohoGrant struct {
	run, serial uint32
	org         uint16 // the index
	scopes      scopeSet
	refreshable bool
	dead        bool

	windowBegan time.Time // of the throttle
	refreshes   int       // in the window
	issued      []uint32  // serials of the newest access tokens
}

func (g zohoGrant) key() uint64 { return uint64(g.run)<<32 | uint64(g.serial) }

type zohoCode struct {
	org         uint16
	dc          string
	scopes      scopeSet
	redirectURI string
	refreshable bool
	expires     time.Time
	used        bool
}

const (
	// zohoCodeLife is the shorter of the lives that the pages name.
	// [doc: FAQ quoted in verbb/formie#2199]
	zohoCodeLife = time.Minute
	// refreshWindow is what the throttle counts in. [doc: Token limits]
	refreshWindow = 10 * time.Minute
	// allOrgs in the place of an org's index means every one.
	allOrgs = -1
)

var errThrottled = errors.New("too many refreshes")

func newZohoAuthority(c *clock, cfg Config) *zohoAuthority {
	key := sha256.Sum256(fmt.Appendf(nil, "zoho tokens %d", cfg.Seed))
	var run [4]byte
	_, _ = rand.Read(run[:]) // never fails
	return &zohoAuthority{
		clock: c, mac: key[:], run: binary.BigEndian.Uint32(run[:]), clientID: cfg.ClientID,
		secrets: map[string]string{"": cfg.ClientSecret}, codes: map[string]*zohoCode{}, grants: map[uint64]*zohoGrant{},
		byUser: map[uint16][]uint64{}, consented: map[uint16]bool{}, endedOlder: map[int]bool{},
	}
}

// newCode is what the callback gets after consent. A grant can be refreshed only
// if the app asked for access_type=offline, and then for prompt=consent unless
// the user never allowed it before. [doc] [bug: schmorrison/Zoho#43]
func (a *zohoAuthority) newCode(o *zohoOrg, redirectURI string, scopes scopeSet, offline, prompted bool) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	index := uint16(o.index) //nolint:gosec // there are a few orgs
	text := "1000." + randomHex(16) + "." + randomHex(16)
	a.codes[text] = &zohoCode{
		org: index, dc: o.dc, scopes: scopes, redirectURI: redirectURI,
		refreshable: offline && (prompted || !a.consented[index]), expires: a.clock.now().Add(zohoCodeLife),
	}
	a.consented[index] = true
	return text
}

// exchange turns a code into a grant, once and in its own data centre.
func (a *zohoAuthority) exchange(text, redirectURI, dc string, perUser int) (zohoGrant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.codes[text]
	if !ok || c.used || c.dc != dc || !a.clock.now().Before(c.expires) || c.redirectURI != redirectURI {
		return zohoGrant{}, errCode
	}
	c.used = true
	return *a.grantTo(c.org, c.scopes, c.refreshable, perUser), nil
}

// issue makes a grant without a browser.
func (a *zohoAuthority) issue(o *zohoOrg, scopes scopeSet, perUser int) zohoGrant {
	a.mu.Lock()
	defer a.mu.Unlock()
	return *a.grantTo(uint16(o.index), scopes, true, perUser) //nolint:gosec // there are a few orgs
}

// grantTo makes a grant. One refresh token more than a user may have kills that
// user's oldest. [doc: Token limits]
func (a *zohoAuthority) grantTo(org uint16, scopes scopeSet, refreshable bool, perUser int) *zohoGrant {
	a.serial++
	g := &zohoGrant{run: a.run, serial: a.serial, org: org, scopes: scopes, refreshable: refreshable}
	a.grants[g.key()] = g
	if !refreshable {
		return g
	}
	living := slices.DeleteFunc(append(a.byUser[org], g.key()), func(key uint64) bool { return a.grants[key].dead })
	for len(living) > perUser {
		a.grants[living[0]].dead = true
		living = living[1:]
	}
	a.byUser[org] = living
	return g
}

// refresh judges a refresh token at the accounts host of a data centre, and
// counts it in its window; perWindow of 0 does not.
func (a *zohoAuthority) refresh(token string, hosted func(org int) bool, perWindow int) (zohoGrant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g, ok := a.parseRefreshToken(token)
	if !ok || g.dead || !g.refreshable || !hosted(int(g.org)) {
		return zohoGrant{}, errRefreshToken
	}
	now := a.clock.now()
	if now.Sub(g.windowBegan) >= refreshWindow {
		g.windowBegan, g.refreshes = now, 0
	}
	g.refreshes++
	a.grants[g.key()] = g
	if perWindow > 0 && g.refreshes > perWindow {
		return zohoGrant{}, errThrottled
	}
	return *g, nil
}

// The open part of a token is the grant's: run, serial, org, flags, scopes.
const openGrant = 16

func (g zohoGrant) open() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, openGrant), g.run)
	b = binary.BigEndian.AppendUint32(b, g.serial)
	b = binary.BigEndian.AppendUint16(b, g.org)
	flags := uint16(0)
	if g.refreshable {
		flags = 1
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	return binary.BigEndian.AppendUint32(b, uint32(g.scopes))
}

func openedGrant(b []byte) zohoGrant {
	return zohoGrant{
		run: binary.BigEndian.Uint32(b), serial: binary.BigEndian.Uint32(b[4:]), org: binary.BigEndian.Uint16(b[8:]),
		refreshable: binary.BigEndian.Uint16(b[10:]) == 1, scopes: scopeSet(binary.BigEndian.Uint32(b[12:])),
	}
}

// seal makes a token in Zoho's form: 1000, and two parts of hex digits.
func (a *zohoAuthority) seal(purpose string, open []byte) string {
	m := hmac.New(sha256.New, a.mac)
	_, _ = fmt.Fprintf(m, "%s\n%x", purpose, open)
	return "1000." + hex.EncodeToString(open) + "." + hex.EncodeToString(m.Sum(nil)[:16])
}

// unseal returns the open part of a token that we made for this purpose.
func (a *zohoAuthority) unseal(purpose, token string, length int) ([]byte, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	open, err := hex.DecodeString(parts[1])
	ok := err == nil && len(open) == length && hmac.Equal([]byte(a.seal(purpose, open)), []byte(token))
	return open, ok
}

func (a *zohoAuthority) refreshToken(g zohoGrant) string { return a.seal("refresh", g.open()) }

func (a *zohoAuthority) parseRefreshToken(token string) (*zohoGrant, bool) {
	open, ok := a.unseal("refresh", token, openGrant)
	if !ok {
		return nil, false
	}
	return a.lookup(openedGrant(open)), true
}

// lookup finds the grant that a token names. One from before a restart is taken
// as the token presents it.
func (a *zohoAuthority) lookup(presented zohoGrant) *zohoGrant {
	if g, ok := a.grants[presented.key()]; ok {
		return g
	}
	presented.dead = presented.run == a.run || a.endedOlder[int(presented.org)] || a.endedOlder[allOrgs]
	return &presented
}

// accessToken makes a new access token.
func (a *zohoAuthority) accessToken(g zohoGrant, life time.Duration) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	if known, ok := a.grants[g.key()]; ok {
		known.issued = append(known.issued, a.serial)
	}
	open := binary.BigEndian.AppendUint32(g.open(), a.run)
	open = binary.BigEndian.AppendUint32(open, a.serial)
	open = binary.BigEndian.AppendUint64(open, uint64(a.clock.now().Add(life).Unix())) //nolint:gosec // after 1970
	return a.seal("access", open)
}

// verify judges an access token and returns the index of its org. Of one grant's
// tokens only the newest liveTokens are good. [doc: Token limits]
func (a *zohoAuthority) verify(token string, liveTokens int) (org int, g zohoGrant, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	open, ok := a.unseal("access", token, openGrant+16)
	if !ok {
		return 0, zohoGrant{}, false
	}
	known := a.lookup(openedGrant(open))
	run, serial := binary.BigEndian.Uint32(open[openGrant:]), binary.BigEndian.Uint32(open[openGrant+4:])
	expires := int64(binary.BigEndian.Uint64(open[openGrant+8:])) //nolint:gosec // as it was put in
	early := serial <= a.expiredUpTo
	if run != a.run {
		early = a.expiredOlder
	} else if n := len(known.issued) - liveTokens; n > 0 {
		known.issued = known.issued[n:]
		early = early || serial < known.issued[0]
	} else if len(known.issued) > 0 {
		early = early || serial < known.issued[0]
	}
	return int(known.org), *known, !known.dead && !early && a.clock.now().Unix() < expires
}

// expireAccessTokens makes the provider refuse all access tokens issued so far.
func (a *zohoAuthority) expireAccessTokens() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expiredUpTo, a.expiredOlder = a.serial, true
}

// revokeToken ends the grant of a refresh token. It is false for one that does
// not live in a data centre that hosted accepts.
func (a *zohoAuthority) revokeToken(token string, hosted func(org int) bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	g, ok := a.parseRefreshToken(token)
	if !ok || g.dead || !hosted(int(g.org)) {
		return false
	}
	g.dead = true
	a.grants[g.key()] = g
	return true
}

// revokeOrg ends all grants of an org, by its index, and returns how many.
func (a *zohoAuthority) revokeOrg(index int) (ended int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.endedOlder[index] = true
	for _, g := range a.grants {
		if (index == allOrgs || int(g.org) == index) && !g.dead {
			g.dead = true
			ended++
		}
	}
	return ended
}

// isClient says whether the id is our app's, and whether the secret is its own
// in this data centre.
func (a *zohoAuthority) isClient(id, secret, dc string) (known, trusted bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	own, ok := a.secrets[dc]
	if !ok {
		own = a.secrets[""]
	}
	known = id == a.clientID
	return known, known && hmac.Equal([]byte(secret), []byte(own))
}

func (a *zohoAuthority) client() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clientID
}

func (a *zohoAuthority) setClient(id, secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clientID, a.secrets[""] = id, secret
}

func (a *zohoAuthority) setSecret(dc, secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secrets[dc] = secret
}
