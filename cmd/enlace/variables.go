package main

import (
	"encoding/hex"
	"errors"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/nyaruka/phonenumbers"
	"github.com/rs/zerolog"

	"example.com/enlace/providers/zoho"
)

// errForm says that a value has not the form that its variable's tag describes. It never repeats the value, which may be
// a secret in the wrong place.
var errForm = errors.New("it has another form")

// A secret does not print.
type secret string

func (secret) String() string { return "[set]" }

// GoString hides the secret from %#v.
func (s secret) GoString() string { return s.String() }

// MarshalText hides the secret from JSON and logs.
func (s secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil } //nolint:unparam // encoding.TextMarshaler

// reveal is the secret itself, for whom it is meant.
func (s secret) reveal() string { return string(s) }

// databaseURL is the address of a Postgres database, with its password.
type databaseURL struct{ secret }

// Decode implements envconfig.Decoder.
func (d *databaseURL) Decode(value string) error {
	scheme, _, _ := strings.Cut(value, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return errForm
	}
	cfg, err := pgx.ParseConfig(value)
	if err != nil || cfg.Host == "" || cfg.Database == "" {
		return errForm
	}
	d.secret = secret(value)
	return nil
}

// hexKey is an AES-256 key.
type hexKey struct{ secret }

// Decode implements envconfig.Decoder.
func (k *hexKey) Decode(value string) error {
	b, err := hex.DecodeString(strings.TrimSpace(value))
	if err != nil || len(b) != 32 {
		return errForm
	}
	k.secret = secret(strings.TrimSpace(value))
	return nil
}

// minSecret is the length from which a shared secret can't be guessed: 32 characters, which HS256 asks for too.
const minSecret = 32

// longSecret is a shared secret that was made by a machine.
type longSecret struct{ secret }

// Decode implements envconfig.Decoder.
func (s *longSecret) Decode(value string) error {
	if len(value) < minSecret {
		return errForm
	}
	s.secret = secret(value)
	return nil
}

// webURL is a base URL, without a slash at its end.
type webURL string

// Decode implements envconfig.Decoder.
func (w *webURL) Decode(value string) error {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errForm
	}
	*w = webURL(strings.TrimRight(value, "/"))
	return nil
}

// listenAddr is host:port; an empty host is every address of the machine.
type listenAddr string

// Decode implements envconfig.Decoder.
func (l *listenAddr) Decode(value string) error {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		return errForm
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errForm
	}
	*l = listenAddr(value)
	return nil
}

// count is a small positive number.
type count int

// Decode implements envconfig.Decoder.
func (c *count) Decode(value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 1000 {
		return errForm
	}
	*c = count(n)
	return nil
}

// region is a country in the two letters of ISO 3166 that has phone numbers.
type region string

// Decode implements envconfig.Decoder.
func (r *region) Decode(value string) error {
	if phonenumbers.GetCountryCodeForRegion(value) == 0 {
		return errForm
	}
	*r = region(value)
	return nil
}

// logLevel is the least serious level that is logged.
type logLevel zerolog.Level

// Decode implements envconfig.Decoder.
func (l *logLevel) Decode(value string) error {
	switch value {
	case "debug", "info", "warn", "error":
		level, err := zerolog.ParseLevel(value)
		*l = logLevel(level)
		return err
	}
	return errForm
}

// tokenFormat is how tokens are written at rest.
type tokenFormat string

// Decode implements envconfig.Decoder.
func (f *tokenFormat) Decode(value string) error {
	if value != "v1" {
		return errForm
	}
	*f = tokenFormat(value)
	return nil
}

// graphVersion is a version of Meta's Graph API.
type graphVersion string

// Decode implements envconfig.Decoder.
func (v *graphVersion) Decode(value string) error {
	if !regexp.MustCompile(`^v[0-9]{2}\.[0-9]$`).MatchString(value) {
		return errForm
	}
	*v = graphVersion(value)
	return nil
}

// digits is an id that the provider writes in digits.
type digits string

// Decode implements envconfig.Decoder.
func (d *digits) Decode(value string) error {
	if !regexp.MustCompile(`^[0-9]{5,20}$`).MatchString(value) {
		return errForm
	}
	*d = digits(value)
	return nil
}

// accountSID is Twilio's name of an account.
type accountSID string

// Decode implements envconfig.Decoder.
func (s *accountSID) Decode(value string) error {
	if !regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`).MatchString(value) {
		return errForm
	}
	*s = accountSID(value)
	return nil
}

// secrets are several, each by the name of what it is for.
type secrets map[string]secret

// Decode implements envconfig.Decoder.
func (s *secrets) Decode(value string) error {
	named := secrets{}
	for pair := range strings.SplitSeq(value, ",") {
		name, text, found := strings.Cut(strings.TrimSpace(pair), ":")
		if !found || text == "" || !slices.Contains(zoho.DataCentres(), name) {
			return errForm
		}
		named[name] = secret(text)
	}
	*s = named
	return nil
}

// reveal are the secrets themselves.
func (s secrets) reveal() map[string]string {
	texts := make(map[string]string, len(s))
	for name, text := range s {
		texts[name] = text.reveal()
	}
	return texts
}

// zohoMode is how a full sync of Zoho reads.
type zohoMode zoho.Mode

// Decode implements envconfig.Decoder.
func (m *zohoMode) Decode(value string) error {
	switch mode := zoho.Mode(value); mode {
	case zoho.Auto, zoho.List, zoho.Keyset, zoho.Bulk:
		*m = zohoMode(mode)
		return nil
	}
	return errForm
}
