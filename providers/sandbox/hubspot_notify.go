package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hubspotNotice is one event in the body of a delivery [doc: Webhooks]. Which of
// the optional fields it has follows from its type.
type hubspotNotice struct {
	EventID          int64   `json:"eventId"` // not unique at the provider either
	SubscriptionID   int64   `json:"subscriptionId"`
	PortalID         int64   `json:"portalId"`
	AppID            int64   `json:"appId"`
	OccurredAt       int64   `json:"occurredAt"` // milliseconds since 1970
	SubscriptionType string  `json:"subscriptionType"`
	AttemptNumber    int     `json:"attemptNumber"` // from 0
	ObjectID         int64   `json:"objectId"`
	ObjectTypeID     string  `json:"objectTypeId,omitempty"` // of object.* types
	PropertyName     string  `json:"propertyName,omitempty"`
	PropertyValue    *string `json:"propertyValue,omitempty"`
	ChangeFlag       string  `json:"changeFlag,omitempty"`
	ChangeSource     string  `json:"changeSource,omitempty"`
	SourceID         string  `json:"sourceId,omitempty"`
	PrimaryObjectID  int64   `json:"primaryObjectId,omitempty"`
	MergedObjectIDs  []int64 `json:"mergedObjectIds,omitempty"`
	NewObjectID      int64   `json:"newObjectId,omitempty"`
	PropertiesMoved  *int    `json:"numberOfPropertiesMoved,omitempty"`
}

// hubspotBatch is the longest array of events in one delivery.
const hubspotBatch = 100

// hubspotWaits spread ten more attempts over 24 hours; by what pattern is
// undocumented [seen: up to ten more in a day].
var hubspotWaits = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 39 * time.Minute, time.Hour,
	2 * time.Hour, 3 * time.Hour, 4 * time.Hour, 6 * time.Hour, 7 * time.Hour,
}

// hubspotDeliveries are the deliveries of events to the app's one target, signed
// by its client secret at the provider's time of each attempt.
func hubspotDeliveries(target, secret string, now func() time.Time, events []hubspotNotice) []*delivery {
	var list []*delivery
	for batch := range slices.Chunk(events, hubspotBatch) {
		batch = slices.Clone(batch)
		list = append(list, &delivery{
			url: target, waits: hubspotWaits,
			render: func(attempt int) (http.Header, []byte) {
				body := hubspotBody(batch, attempt)
				at := strconv.FormatInt(now().UnixMilli(), 10)
				header := http.Header{"Content-Type": {"application/json"}}
				header.Set("X-HubSpot-Request-Timestamp", at)
				header.Set("X-HubSpot-Signature-v3", hubspotSignature(secret, target, string(body), at))
				return header, body
			},
		})
	}
	return list
}

// hubspotBody renders events for an attempt, which counts from 1.
func hubspotBody(events []hubspotNotice, attempt int) []byte {
	numbered := slices.Clone(events)
	for i := range numbered {
		numbered[i].AttemptNumber = attempt - 1
	}
	body, err := json.Marshal(numbered)
	if err != nil {
		panic(fmt.Sprintf("render %d events: %v", len(events), err)) // numbers and strings
	}
	return body
}

// hubspotSignature is version 3 of the signature of a POST: what is signed is
// the address as it was registered, with some escapes of its query undone, the
// raw body, and the time in milliseconds [doc: Request validation].
func hubspotSignature(secret, target, body, at string) string {
	m := hmac.New(sha256.New, []byte(secret))
	_, _ = m.Write([]byte(http.MethodPost + hubspotSignedURI(target) + body + at))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

var hubspotEscapes = strings.NewReplacer(
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'", "%28", "(", "%29", ")",
	"%2A", "*", "%2C", ",", "%3B", ";",
)

func hubspotSignedURI(target string) string {
	path, query, found := strings.Cut(target, "?")
	if !found {
		return path
	}
	return path + "?" + hubspotEscapes.Replace(query)
}
