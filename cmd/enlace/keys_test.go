package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
)

const olderKey = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

// tokensInDatabase is a database with one integration of each kind: sealed with the present key, with an older one, with
// one that is lost, and by an earlier system.
func tokensInDatabase(t *testing.T) (env []string, foreign uuid.UUID) {
	t.Helper()
	url := storetest.URL(t)
	pool := storetest.Open(t, url)
	seal := func(key string, id uuid.UUID) string {
		ring, err := vault.NewKeyring(key)
		require.NoError(t, err)
		return ring.Seal(id, vault.AccessToken, "geheim")
	}
	foreign = uuid.New()
	for n, key := range []string{goodKey, olderKey, strings.Repeat("ab", 32), ""} {
		id := uuid.New()
		if key == "" {
			id = foreign
		}
		token := "geheim-of-another-form"
		if key != "" {
			token = seal(key, id)
		}
		_, err := pool.Exec(t.Context(), `INSERT INTO integrations (id, tenant_id, provider, external_account_id, access_token) VALUES ($1, $2, 'pipedrive', $3, $4)`,
			id, uuid.New(), string(rune('a'+n)), token)
		require.NoError(t, err)
	}
	return []string{"DATABASE_URL=" + url, "ENCRYPTION_KEY=" + goodKey}, foreign
}

func TestKeysAreRotatedAndTokensOfAnEarlierSystemImported(t *testing.T) {
	t.Parallel()

	env, foreign := tokensInDatabase(t)
	doctor := func(more ...string) string { return enlace(t, append(env, more...), "doctor").stdout }
	older := "ENCRYPTION_KEYS_OLD=" + olderKey

	require.Contains(t, doctor(), "problem  keys: 2 of 4 integrations have tokens that no key opens\n")
	require.Contains(t, doctor(older), "problem  keys: 1 of 4 integrations have tokens that no key opens\n")
	require.Contains(t, doctor(), "problem  keys: 1 of 4 integrations have tokens of an earlier system\n         run `enlace keys import`\n")

	rotated := enlace(t, append(env, older), "keys", "rotate")
	require.Equal(t, exitFailed, rotated.code)
	require.Contains(t, rotated.stdout, "sealed anew: 1; with the current key already: 1; not opened: 2\n")
	require.Contains(t, rotated.stdout, foreign.String())
	require.Contains(t, doctor(), "problem  keys: 1 of 4 integrations have tokens that no key opens\n", "the older key isn't needed any more")

	for name, tt := range map[string]struct {
		input string
		want  ended
	}{
		"something else":    {"geheim", ended{"", "enlace: object 1 of the input must look like {\"integration_id\": \"…\", \"access_token\": \"…\", \"refresh_token\": \"…\"}\n", exitUsage}},
		"not all":           {"", ended{"not in the input: " + foreign.String() + " (pipedrive)\nsealed: 0; not in the input: 1\n", "enlace: some integrations still have tokens of an earlier system\n", exitFailed}},
		"an unknown member": {`{"integration_id": "` + foreign.String() + `"}`, ended{"", "enlace: object 1 of the input must look like {\"integration_id\": \"…\", \"access_token\": \"…\", \"refresh_token\": \"…\"}\n", exitUsage}},
	} {
		require.Equal(t, tt.want, withInput(t, env, tt.input, "keys", "import"), name)
	}
	line := `{"integration_id": "` + foreign.String() + `", "access_token": "geheim", "refresh_token": "geheim2"}` + "\n"
	require.Equal(t, ended{"sealed: 1; not in the input: 0\n", "", exitOK}, withInput(t, env, line, "keys", "import"))
	require.Equal(t, ended{"sealed: 0; not in the input: 0\n", "", exitOK}, withInput(t, env, line, "keys", "import"), "again")
	require.NotContains(t, doctor(), "of an earlier system")
}

func TestTokensAreReadWithoutRepeatingThem(t *testing.T) {
	t.Parallel()

	_, err := readTokens(strings.NewReader(`{"integration_id": "00000000-0000-4000-8000-0000000000aa", "access_token": "a"}{"integration_id": "geheim"}`))
	require.ErrorContains(t, err, "object 2 of the input")
	require.NotContains(t, err.Error(), "geheim")
}
