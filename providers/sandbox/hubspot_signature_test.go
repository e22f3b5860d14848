package sandbox_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func TestSignHubSpot(t *testing.T) {
	t.Parallel()

	const (
		uri  = "https://hooks.example.com/webhooks/hubspot"
		body = `[{"eventId":1,"portalId":4242,"subscriptionType":"contact.deletion","objectId":501}]`
	)
	sign := func(uri string) string {
		return sandbox.SignHubSpot("test-client-secret-0001", uri, []byte(body), "1795593600000")
	}
	require.Equal(t, "s6zxz10/KpCid9ea9vh4rWbM2+Sh/MUUPbjhbzE/3ug=", sign(uri))
	require.Equal(t, "fQGiMq4ZsH7v61KZVUipULN57EJGdu61sa0wmjqc2xo=", sign(uri+"?src=a%3Ab%2Fc"))
	require.Equal(t, sign(uri+"?q=:/?@!$'()*,;"), sign(uri+"?q=%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B"), "these are decoded")
	require.NotEqual(t, sign(uri+"?q=a b&c"), sign(uri+"?q=a%20b%26c"), "no others")
	require.NotEqual(t, sign("https://hooks.example.com/a:b"), sign("https://hooks.example.com/a%3Ab"), "nor in the path")
}
