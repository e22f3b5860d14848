package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
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

// hubspotEvents is the longest array of events in one delivery.
const hubspotEvents = 100

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
	for batch := range slices.Chunk(events, hubspotEvents) {
		batch = slices.Clone(batch)
		list = append(list, &delivery{
			url: target, waits: hubspotWaits,
			render: func(attempt int) (http.Header, []byte) {
				body := hubspotBody(batch, attempt)
				at := strconv.FormatInt(now().UnixMilli(), 10)
				header := http.Header{"Content-Type": {"application/json"}}
				header.Set("X-HubSpot-Request-Timestamp", at)
				header.Set("X-HubSpot-Signature-v3", SignHubSpot(secret, target, body, at))
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
