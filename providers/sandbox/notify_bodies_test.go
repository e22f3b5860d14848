package sandbox

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestZohoNotice(t *testing.T) {
	t.Parallel()

	at := time.UnixMilli(1795600800123)
	d, err := zohoDelivery("https://app.example.com/hooks/zoho?c=opaque", at, zohoNotice{
		Module: "Contacts", Operation: zohoOperation("edit", WordsSQL), ResourceURI: "https://www.zohoapis.eu/crm/v8/Contacts",
		IDs: []string{"554023000000123001"}, AffectedFields: []map[string][]string{{"554023000000123001": {"Email"}}},
		Token: "up-to-50-chars-secret", ChannelID: "1000000068001",
	})
	require.NoError(t, err)
	header, body := d.render(1)
	require.Equal(t, "application/json", header.Get("Content-Type"))
	require.JSONEq(t, `{"server_time":1795600800123,"module":"Contacts","operation":"update","resource_uri":"https://www.zohoapis.eu/crm/v8/Contacts",
		"ids":["554023000000123001"],"affected_fields":[{"554023000000123001":["Email"]}],"query_params":{"c":"opaque"},
		"token":"up-to-50-chars-secret","channel_id":"1000000068001"}`, string(body))
	require.Empty(t, d.waits)

	_, err = zohoDelivery("http://[", at, zohoNotice{})
	require.ErrorContains(t, err, "notify_url")
}

func TestZohoWords(t *testing.T) {
	t.Parallel()

	for operation, sql := range map[string]string{"create": "insert", "edit": "update", "delete": "delete"} {
		require.Equal(t, sql, zohoOperation(operation, WordsSQL))
		require.Equal(t, operation, zohoOperation(operation, WordsCRUD))
	}
}

// The vectors are those of the page on HubSpot.
func TestHubSpotSignature(t *testing.T) {
	t.Parallel()

	const body = `[{"eventId":1,"portalId":4242,"subscriptionType":"contact.deletion","objectId":501}]`
	for target, want := range map[string]string{
		"https://hooks.example.com/webhooks/hubspot":               "s6zxz10/KpCid9ea9vh4rWbM2+Sh/MUUPbjhbzE/3ug=",
		"https://hooks.example.com/webhooks/hubspot?src=a%3Ab%2Fc": "fQGiMq4ZsH7v61KZVUipULN57EJGdu61sa0wmjqc2xo=",
	} {
		require.Equal(t, want, SignHubSpot("test-client-secret-0001", target, []byte(body), "1795593600000"), target)
	}
}

func TestHubSpotDeliveries(t *testing.T) {
	t.Parallel()

	const target, secret = "https://hooks.example.com/webhooks/hubspot", "secret"
	now := time.UnixMilli(1795593600000)
	value, moved := "Łukasz", 3
	events := []hubspotNotice{
		{
			EventID: 1001, SubscriptionID: 9, PortalID: 4242, AppID: 55, OccurredAt: 1795593590123, SubscriptionType: "contact.propertyChange",
			ObjectID: 501, PropertyName: "lastname", PropertyValue: &value, ChangeSource: "CRM_UI", SourceID: "userId:7001",
		},
		{
			EventID: 1002, SubscriptionID: 11, PortalID: 4242, AppID: 55, OccurredAt: 1795593591000, SubscriptionType: "contact.merge",
			ObjectID: 900, PrimaryObjectID: 501, MergedObjectIDs: []int64{388}, NewObjectID: 900, PropertiesMoved: &moved,
		},
	}
	for len(events) < 230 {
		events = append(events, hubspotNotice{EventID: int64(len(events)), SubscriptionType: "contact.deletion", ChangeFlag: "DELETED"})
	}
	list := hubspotDeliveries(target, secret, func() time.Time { return now }, events)
	require.Len(t, list, 3)
	var lengths []int
	for _, d := range list {
		_, body := d.render(1)
		var got []hubspotNotice
		require.NoError(t, json.Unmarshal(body, &got))
		lengths = append(lengths, len(got))
	}
	require.Equal(t, []int{100, 100, 30}, lengths)

	var day time.Duration
	for _, wait := range list[0].waits {
		day += wait
	}
	require.Len(t, list[0].waits, 10)
	require.Equal(t, 24*time.Hour, day)

	now = now.Add(time.Minute) // each attempt is signed for its own time
	header, body := list[0].render(2)
	require.Equal(t, "1795593660000", header.Get("X-HubSpot-Request-Timestamp"))
	require.Equal(t, SignHubSpot(secret, target, body, "1795593660000"), header.Get("X-HubSpot-Signature-v3"))
	var raw []json.RawMessage
	require.NoError(t, json.Unmarshal(body, &raw))
	require.JSONEq(t, `{"eventId":1001,"subscriptionId":9,"portalId":4242,"appId":55,"occurredAt":1795593590123,"subscriptionType":"contact.propertyChange",
		"attemptNumber":1,"objectId":501,"propertyName":"lastname","propertyValue":"Łukasz","changeSource":"CRM_UI","sourceId":"userId:7001"}`, string(raw[0]))
	require.JSONEq(t, `{"eventId":1002,"subscriptionId":11,"portalId":4242,"appId":55,"occurredAt":1795593591000,"subscriptionType":"contact.merge",
		"attemptNumber":1,"objectId":900,"primaryObjectId":501,"mergedObjectIds":[388],"newObjectId":900,"numberOfPropertiesMoved":3}`, string(raw[1]))
}
