package hubspot_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/hubspot"
	"example.com/enlace/providers/sandbox"
)

const (
	target    = "https://hooks.example.com/webhooks/hubspot"
	appSecret = "test-client-secret-0001"
)

// notice is a delivery with a good signature, as if it had been sent at that time.
func notice(body string, at time.Time) providers.Notification {
	stamp := strconv.FormatInt(at.UnixMilli(), 10)
	header := http.Header{}
	header.Set("X-HubSpot-Request-Timestamp", stamp)
	header.Set("X-HubSpot-Signature-v3", sandbox.SignHubSpot(appSecret, target, []byte(body), stamp))
	return providers.Notification{URL: target, Header: header, Body: []byte(body)}
}

func readNotice(n providers.Notification) ([]providers.Change, error) {
	return hubspot.New(hubspot.Config{ClientSecret: appSecret}).Changes.Read(n)
}

// The example of the provider's page, with all that has no effect in between.
func TestANoticeTellsOfSeveralAccounts(t *testing.T) {
	t.Parallel()

	changes, err := readNotice(notice(`[
		{"eventId":1001,"subscriptionId":9,"portalId":4242,"appId":55,"occurredAt":1795593590123,"subscriptionType":"contact.propertyChange","attemptNumber":0,"objectId":501,"propertyName":"lastname","propertyValue":"Łukasz\u0000"},
		null, 5, {"portalId":{},"subscriptionType":"contact.creation","objectId":1},
		{"eventId":1001,"portalId":4242,"occurredAt":1795593590123,"subscriptionType":"company.creation","objectId":6},
		{"eventId":1001,"portalId":4242,"occurredAt":1795593590123,"subscriptionType":"object.creation","objectTypeId":"0-2","objectId":6},
		{"eventId":1001,"portalId":4242,"occurredAt":1795593590123,"subscriptionType":"contact.associationChange","objectId":6},
		{"eventId":1001,"portalId":4242,"occurredAt":1795593590123,"subscriptionType":"contact.creation"},
		{"eventId":1001,"occurredAt":1795593590123,"subscriptionType":"contact.creation","objectId":6},
		{"eventId":1002,"portalId":4242,"occurredAt":1795593591000,"subscriptionType":"contact.merge","attemptNumber":1,"objectId":900,"primaryObjectId":501,"mergedObjectIds":[388],"newObjectId":900,"numberOfPropertiesMoved":3},
		{"eventId":1003,"portalId":9999,"occurredAt":1795593592000,"subscriptionType":"contact.deletion","objectId":90071992547409931,"changeFlag":"DELETED"},
		{"eventId":1003,"portalId":9999,"occurredAt":1795593592000,"subscriptionType":"contact.privacyDeletion","objectId":90071992547409931},
		{"eventId":1004,"portalId":"9999","occurredAt":1795593592000,"subscriptionType":"object.restore","objectTypeId":"0-1","objectId":"777"}
	]`, time.Now()))
	require.NoError(t, err)
	require.Equal(t, []providers.Change{
		{Key: "4242|contact.propertyChange|501|1001|1795593590123|lastname", Account: "4242", ExternalIDs: []string{"501"}},
		{Key: "4242|contact.merge|900|1002|1795593591000|", Account: "4242", ExternalIDs: []string{"900", "501", "388"}, Deleted: true},
		{Key: "9999|contact.deletion|90071992547409931|1003|1795593592000|", Account: "9999", ExternalIDs: []string{"90071992547409931"}, Deleted: true},
		{Key: "9999|contact.privacyDeletion|90071992547409931|1003|1795593592000|", Account: "9999", ExternalIDs: []string{"90071992547409931"}, Deleted: true},
		{Key: "9999|object.restore|777|1004|1795593592000|", Account: "9999", ExternalIDs: []string{"777"}},
	}, changes)
}

// Each attempt of a delivery is signed anew and counts its attempts: the event is the same.
func TestTheKeyOfAnEventOutlivesItsAttempts(t *testing.T) {
	t.Parallel()

	event := func(attempt int) string {
		return `[{"eventId":1,"portalId":4242,"occurredAt":5,"subscriptionType":"contact.creation","objectId":501,"attemptNumber":` + strconv.Itoa(attempt) + `}]`
	}
	first, err := readNotice(notice(event(0), time.Now().Add(-time.Minute)))
	require.NoError(t, err)
	again, err := readNotice(notice(event(1), time.Now()))
	require.NoError(t, err)
	require.Equal(t, first, again)
}

func TestANoticeIsOnlyTheProvidersForFiveMinutes(t *testing.T) {
	t.Parallel()

	const body = `[{"portalId":4242,"subscriptionType":"contact.creation","objectId":501}]`
	for sentence, n := range map[string]providers.Notification{
		"old":             notice(body, time.Now().Add(-5*time.Minute-time.Second)),
		"from the future": notice(body, time.Now().Add(5*time.Minute+time.Minute)),
		"without its time": func() providers.Notification {
			n := notice(body, time.Now())
			n.Header.Del("X-HubSpot-Request-Timestamp")
			return n
		}(),
		"with an old version's signature alone": func() providers.Notification {
			n := notice(body, time.Now())
			n.Header.Set("X-HubSpot-Signature", n.Header.Get("X-HubSpot-Signature-v3"))
			n.Header.Del("X-HubSpot-Signature-v3")
			return n
		}(),
	} {
		changes, err := readNotice(n)
		require.ErrorIs(t, err, providers.ErrUnverified, sentence)
		require.Empty(t, changes, sentence)
	}
	for _, age := range []time.Duration{4 * time.Minute, -4 * time.Minute} {
		changes, err := readNotice(notice(body, time.Now().Add(-age)))
		require.NoError(t, err)
		require.Len(t, changes, 1)
	}
	stamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	unsigned := notice(body, time.Now())
	unsigned.Header.Set("X-HubSpot-Request-Timestamp", stamp)
	unsigned.Header.Set("X-HubSpot-Signature-v3", sandbox.SignHubSpot("", target, []byte(body), stamp))
	_, err := hubspot.New(hubspot.Config{}).Changes.Read(unsigned)
	require.ErrorIs(t, err, providers.ErrUnverified, "an app without a secret believes nobody")
}

func TestANoticeOfAnotherShapeIsAnError(t *testing.T) {
	t.Parallel()

	for _, body := range []string{``, `{}`, `"x"`, `[{]`} {
		changes, err := readNotice(notice(body, time.Now()))
		require.Error(t, err, body)
		require.NotErrorIs(t, err, providers.ErrUnverified, body)
		require.Empty(t, changes)
	}
}
