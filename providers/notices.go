package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// BasicAuth reports whether a request proves itself by a user and a secret. Nothing is proven by an empty secret.
func BasicAuth(header http.Header, user, secret string) bool {
	name, password, ok := (&http.Request{Header: header}).BasicAuth()
	known := SameSecret(password, secret)
	return ok && SameSecret(name, user) && known
}

// Sign is the base64 of an HMAC-SHA256 over the parts, one after the other. Compare it by [SameSecret], and never with an
// empty secret.
func Sign(secret string, parts ...string) string {
	m := hmac.New(sha256.New, []byte(secret))
	for _, part := range parts {
		m.Write([]byte(part))
	}
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// Recent reports whether a text of milliseconds of Unix time is now, give or take so much.
func Recent(milliseconds string, within time.Duration) bool {
	ms, err := strconv.ParseInt(milliseconds, 10, 64)
	return err == nil && time.Since(time.UnixMilli(ms)).Abs() <= within
}

// ReadEach is [Changes.Read] of notifications that are a list of events in JSON: verified as a whole, read one by one. An
// event that change doesn't know has no effect.
func ReadEach(verify func(Notification) bool, change func(event jsontext.Value) (Change, bool)) func(Notification) ([]Change, error) {
	return func(n Notification) (changes []Change, _ error) {
		if !verify(n) {
			return nil, ErrUnverified
		}
		var events []jsontext.Value
		err := json.Unmarshal(n.Body, &events, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		if err != nil {
			return nil, errors.New("read a notification: it is no list of events") // the cause repeats values
		}
		for _, event := range events {
			if one, ok := change(event); ok {
				changes = append(changes, one)
			}
		}
		return changes, nil
	}
}

// IDs are the ids in members of a JSON object: texts, numbers, or lists of such; each once.
func IDs(object jsontext.Value, members ...string) (ids []string) {
	for _, member := range members {
		value := Dig(object, member)
		for _, one := range append(Items(value), value) {
			if id := Plain(one); id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
