package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"example.com/enlace/providers"
)

// ContentHash is a contact's content, its update time left out: two reads with the same hash differ in nothing we store.
func ContentHash(c providers.Contact) (sum [32]byte) {
	h := sha256.New()
	var buf []byte
	text := func(s string) {
		buf = binary.AppendUvarint(buf, uint64(len(s))) // lengths keep "ab"+"c" and "a"+"bc" apart
		buf = append(buf, s...)
	}
	for _, s := range []string{c.Name, c.FirstName, c.LastName, c.OrganizationID, c.OwnerID, c.JobTitle, c.MergedInto} {
		text(s)
	}
	for _, list := range [][]providers.Address{c.Emails, c.Phones} {
		buf = binary.AppendUvarint(buf, uint64(len(list)))
		for _, a := range list {
			text(a.Value)
			text(a.Label)
			if a.Primary {
				text("primary")
			}
		}
	}
	if !c.CreatedAt.IsZero() {
		text(c.CreatedAt.UTC().Format(time.RFC3339Nano))
	}
	flush(h, buf)
	h.Write(c.CustomFields)
	h.Sum(sum[:0])
	return sum
}

func flush(h hash.Hash, b []byte) { h.Write(b) }

// normal is what a contact's addresses are once they are read: the main ones, and the lists, encoded for Postgres.
type normal struct {
	email, phone       string
	emails, phones     string // JSON, as the provider has them
	addresses, numbers string // Postgres array literals, each value once
}

// phoneJSON is a phone number as contacts.phones holds it.
type phoneJSON struct {
	providers.Address
	E164 *string `json:"e164"`
}

// normalize reads addresses and numbers; one that can't be read is kept as it came and has no normal form. region is
// the country of numbers without a country code; empty: such numbers have no normal form.
func normalize(c providers.Contact, region string) normal {
	var (
		n                  normal
		addresses, numbers []string
		phones             = make([]phoneJSON, len(c.Phones))
	)
	n.email, addresses = readAll(c.Emails, func(_ int, s string) string { return normalEmail(s) })
	n.phone, numbers = readAll(c.Phones, func(i int, s string) string {
		number := normalPhone(s, region)
		phones[i] = phoneJSON{c.Phones[i], nonEmpty(number)}
		return number
	})
	n.emails, n.phones = encode(c.Emails), encode(phones)
	n.addresses, n.numbers = arrayLiteral(addresses), arrayLiteral(numbers)
	return n
}

// readAll reads each address once. main is the first primary one that can be read, else the first that can be.
func readAll(list []providers.Address, read func(int, string) string) (main string, all []string) {
	primary := false
	for i, a := range list {
		s := read(i, a.Value)
		if s == "" {
			continue
		}
		if main == "" || (a.Primary && !primary) {
			main, primary = s, a.Primary
		}
		all = appendNew(all, s)
	}
	return main, all
}

func appendNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// normalEmail is an address in lower case, or empty if the text isn't one address.
func normalEmail(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	at := strings.IndexByte(s, '@')
	if at <= 0 || at == len(s)-1 || strings.ContainsAny(s, " \t\r\n,;<>\"") || strings.LastIndexByte(s, '@') != at {
		return ""
	}
	return s
}

// normalPhone is a number in E.164, or empty if the text isn't one number.
func normalPhone(s, region string) string {
	s = strings.TrimSpace(s)
	if s == "" || (region == "" && !strings.HasPrefix(s, "+") && !strings.HasPrefix(s, "00")) {
		return ""
	}
	if strings.HasPrefix(s, "00") {
		s = "+" + s[2:] // how most of the world dials abroad
	}
	number, err := phonenumbers.Parse(s, region)
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return ""
	}
	return phonenumbers.Format(number, phonenumbers.E164)
}

func encode(list any) string {
	b, err := json.Marshal(list)
	if err != nil || string(b) == "null" {
		return "[]"
	}
	return string(b)
}

// arrayLiteral is a Postgres array in text form.
func arrayLiteral(list []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for _, c := range []byte(s) {
			if c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

// likeLiteral is a text in which % and _ stand for themselves.
func likeLiteral(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
