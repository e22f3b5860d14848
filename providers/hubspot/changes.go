package hubspot

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// change reads one of up to 100 events in a notice [doc: Webhooks]: ok if it is about contacts, in a way that we know. A
// merge names all that took part: which ids survived is known by reading them.
func change(event jsontext.Value) (_ providers.Change, ok bool) {
	text := func(member string) string { return providers.Plain(event, member) }
	kind, portal, record := text("subscriptionType"), text("portalId"), text("objectId")
	object, what, _ := strings.Cut(kind, ".")
	known := []string{"creation", "propertyChange", "deletion", "privacyDeletion", "merge", "restore"}
	ours := object == "contact" || object == "object" && text("objectTypeId") == "0-1"
	return providers.Change{
		// An eventId is not unique.
		Key:         strings.Join([]string{portal, kind, record, text("eventId"), text("occurredAt"), text("propertyName")}, "|"),
		Account:     portal,
		ExternalIDs: providers.IDs(event, "objectId", "newObjectId", "primaryObjectId", "mergedObjectIds"),
		Deleted:     what == "deletion" || what == "privacyDeletion" || what == "merge",
	}, ours && portal != "" && record != "" && slices.Contains(known, what)
}

// signed verifies that HubSpot sent a notice in the last five minutes. An app without a secret believes nobody.
func signed(secret string) func(providers.Notification) bool {
	return func(n providers.Notification) bool {
		at := n.Header.Get("X-HubSpot-Request-Timestamp")
		same := providers.SameSecret(n.Header.Get("X-HubSpot-Signature-v3"), sign(secret, n.URL, n.Body, at))
		return secret != "" && same && providers.Recent(at, 5*time.Minute)
	}
}

// signedQuery are the escapes that are undone in a query before it is signed, and no others.
var signedQuery = strings.NewReplacer( //nolint:gochecknoglobals // a constant table
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'",
	"%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";")

// sign is version 3 of the signature [doc: Request validation].
func sign(secret, url string, body []byte, at string) string {
	path, query, found := strings.Cut(url, "?")
	if found {
		path += "?" + signedQuery.Replace(query)
	}
	return providers.Sign(secret, "POST"+path, string(body), at)
}
