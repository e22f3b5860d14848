package hubspot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// event is one of up to 100 in a notice [doc: Webhooks]. Which fields it has follows from its type.
type event struct {
	EventID    providers.Text   `json:"eventId"` // not unique
	Portal     providers.Text   `json:"portalId"`
	Type       string           `json:"subscriptionType"`
	ObjectType providers.Text   `json:"objectTypeId"`
	Object     providers.Text   `json:"objectId"`
	At         providers.Text   `json:"occurredAt"`
	Property   string           `json:"propertyName"`
	New        providers.Text   `json:"newObjectId"`
	Primary    providers.Text   `json:"primaryObjectId"`
	Merged     []providers.Text `json:"mergedObjectIds"`
}

// readChanges implements [providers.Changes] for the app's one target. An event that isn't about contacts, or can't be
// read, has no effect: an error would bring its whole batch again.
func (cfg Config) readChanges(n providers.Notification) ([]providers.Change, error) {
	at := n.Header.Get("X-HubSpot-Request-Timestamp")
	ms, err := strconv.ParseInt(at, 10, 64)
	fresh := err == nil && time.Since(time.UnixMilli(ms)).Abs() <= 5*time.Minute
	if !fresh || cfg.ClientSecret == "" || !providers.SameSecret(n.Header.Get("X-HubSpot-Signature-v3"), sign(cfg.ClientSecret, n.URL, n.Body, at)) {
		return nil, providers.ErrUnverified
	}
	var list []jsontext.Value
	if json.Unmarshal(n.Body, &list, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return nil, errors.New("hubspot: read a notice: it is no list of events")
	}
	var changes []providers.Change
	for _, raw := range list {
		var e event
		if json.Unmarshal(raw, &e, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) == nil && e.known() {
			changes = append(changes, e.change())
		}
	}
	return changes, nil
}

func (e event) known() bool {
	object, what, _ := strings.Cut(e.Type, ".")
	return (object == "contact" || object == "object" && e.ObjectType == "0-1") && e.Portal != "" && e.Object != "" &&
		slices.Contains([]string{"creation", "propertyChange", "deletion", "privacyDeletion", "merge", "restore"}, what)
}

// change names the record. A merge names all that took part: which ids survived is known by reading them.
func (e event) change() providers.Change {
	change := providers.Change{
		Key:     strings.Join([]string{string(e.Portal), e.Type, string(e.Object), string(e.EventID), string(e.At), e.Property}, "|"),
		Account: string(e.Portal),
		Deleted: strings.HasSuffix(strings.ToLower(e.Type), "deletion") || strings.HasSuffix(e.Type, ".merge"),
	}
	for _, id := range append([]providers.Text{e.Object, e.New, e.Primary}, e.Merged...) {
		if id != "" && !slices.Contains(change.ExternalIDs, string(id)) {
			change.ExternalIDs = append(change.ExternalIDs, string(id))
		}
	}
	return change
}

// signedQuery are the escapes that are undone in a query before it is signed, and no others.
var signedQuery = strings.NewReplacer( //nolint:gochecknoglobals // a constant table
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";")

// sign is version 3 of the signature [doc: Request validation].
func sign(secret, url string, body []byte, at string) string {
	path, query, found := strings.Cut(url, "?")
	if found {
		path += "?" + signedQuery.Replace(query)
	}
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(slices.Concat([]byte("POST"+path), body, []byte(at)))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}
