package hubspot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The vectors are those of the project's page on the provider.
func TestSignature(t *testing.T) {
	t.Parallel()

	const body = `[{"eventId":1,"portalId":4242,"subscriptionType":"contact.deletion","objectId":501}]`
	for url, want := range map[string]string{
		"https://hooks.example.com/webhooks/hubspot":               "s6zxz10/KpCid9ea9vh4rWbM2+Sh/MUUPbjhbzE/3ug=",
		"https://hooks.example.com/webhooks/hubspot?src=a%3Ab%2Fc": "fQGiMq4ZsH7v61KZVUipULN57EJGdu61sa0wmjqc2xo=",
	} {
		require.Equal(t, want, sign("test-client-secret-0001", url, []byte(body), "1795593600000"), url)
	}
}
