package sandbox

import (
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

// changed is told of every change after it was made, under no lock: of which
// portal, what kind, and the contacts. Of a merge these are the primary, those
// that were lost, and the survivor, in this order. It queues what the app's
// subscriptions tell of it.
func (h *HubSpot) changed(p *portal, kind string, ids []int64) {
	settings := h.current()
	if !settings.Webhooks || settings.WebhookTarget == "" {
		return
	}
	var events []hubspotNotice
	if kind == contactMerge {
		events = []hubspotNotice{mergeNotice(ids)}
	} else {
		for _, id := range ids {
			events = append(events, p.notice(kind, id))
		}
	}
	at := h.sandbox.Now().UnixMilli()
	for i := range events {
		e := &events[i]
		e.SubscriptionID, e.PortalID, e.AppID, e.OccurredAt = hubspotSubscriptions[kind], int64(p.id), hubspotAppID, at
		e.EventID, e.SubscriptionType, e.ChangeSource = h.nextEvent(settings.WebhookSameEventID), kind, "CRM_UI"
		if settings.WebhookObjectTypes {
			e.SubscriptionType, e.ObjectTypeID = strings.Replace(kind, "contact.", "object.", 1), hubspotContactType
		}
	}
	_, secret := h.auth.client()
	for _, d := range hubspotDeliveries(settings.WebhookTarget, secret, h.sandbox.Now, events) {
		h.outbox.add(d)
	}
}

// hubspotContactType is what contacts are called where the type of an event
// leaves the kind of object open.
const hubspotContactType = "0-1"

// hubspotSubscriptions are the ids of the app's subscriptions.
var hubspotSubscriptions = map[string]int64{
	contactCreation: 8, contactPropertyChange: 9, contactMerge: 11, contactDeletion: 12, contactPrivacyDeletion: 13, contactRestore: 14,
}

// notice is what an event tells of one contact beside what all events tell. A
// change is told by the one property that every change of the sandbox moves.
func (p *portal) notice(kind string, id int64) hubspotNotice {
	e := hubspotNotice{ObjectID: id}
	switch kind {
	case contactPropertyChange:
		e.PropertyName = propEmail
		if r, ok := p.contacts.read(hubspotNumber(id)); ok {
			e.PropertyValue = p.object(r).Properties[propEmail]
		}
	case contactDeletion:
		e.ChangeFlag = "DELETED"
	}
	return e
}

// mergeNotice is about the survivor. The primary isn't among the merged ones, also
// where it is lost.
func mergeNotice(ids []int64) hubspotNotice {
	primary, survivor, moved := ids[0], ids[len(ids)-1], 3
	lost := slices.DeleteFunc(slices.Clone(ids[1:len(ids)-1]), func(id int64) bool { return id == primary })
	return hubspotNotice{ObjectID: survivor, PrimaryObjectID: primary, MergedObjectIDs: lost, NewObjectID: survivor, PropertiesMoved: &moved}
}

func (h *HubSpot) nextEvent(same bool) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !same || h.events == 0 {
		h.events++
	}
	return h.events
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
