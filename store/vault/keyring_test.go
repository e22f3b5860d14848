package vault_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/enlace/store/vault"
)

var (
	firstKey  = strings.Repeat("0123456789abcdef", 4)
	secondKey = strings.Repeat("fedcba9876543210", 4)
)

func newKeyring(tb testing.TB, current string, old ...string) *vault.Keyring {
	tb.Helper()
	k, err := vault.NewKeyring(current, old...)
	require.NoError(tb, err)
	return k
}

func reason(err error) vault.OpenReason {
	if e, ok := errors.AsType[*vault.OpenError](err); ok {
		return e.Reason
	}
	return ""
}

func TestNewKeyringRefusesWhatIsNoKey(t *testing.T) {
	t.Parallel()

	for name, text := range map[string]string{
		"empty":                 "",
		"too short":             firstKey[:62],
		"too long":              firstKey + "ab",
		"a letter beyond hex":   "g" + firstKey[1:],
		"a blank at the end":    firstKey[:63] + " ",
		"an odd number of them": firstKey[:63],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := vault.NewKeyring(text)
			require.ErrorContains(t, err, "current key must be 64 hexadecimal digits")
			_, err = vault.NewKeyring(firstKey, secondKey, text)
			require.ErrorContains(t, err, "old key 2 must be 64 hexadecimal digits")
			if text != "" {
				require.NotContains(t, err.Error(), text)
			}
		})
	}
}

func TestSealedTextOpensOnlyWhereItWasSealed(t *testing.T) {
	t.Parallel()

	k := newKeyring(t, firstKey)
	other := newKeyring(t, secondKey)
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.String().Draw(t, "plain")
		id := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		sealed := k.Seal(id, vault.AccessToken, plain)
		require.Regexp(t, `^v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]+$`, sealed)

		opened, err := k.Open(id, vault.AccessToken, sealed)
		require.NoError(t, err)
		require.Equal(t, plain, opened)
		require.NotEqual(t, sealed, k.Seal(id, vault.AccessToken, plain), "equal texts must not look equal")

		moved := id
		moved[rapid.IntRange(0, 15).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		_, err = k.Open(moved, vault.AccessToken, sealed)
		require.Equal(t, vault.NotAuthentic, reason(err), "moved to another row")
		_, err = k.Open(id, vault.RefreshToken, sealed)
		require.Equal(t, vault.NotAuthentic, reason(err), "moved to the other column")
		_, err = other.Open(id, vault.AccessToken, sealed)
		require.Equal(t, vault.UnknownKey, reason(err), "another key")

		at := rapid.IntRange(0, len(sealed)-1).Draw(t, "at")
		flipped := []byte(sealed)
		flipped[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "flip")
		_, err = k.Open(id, vault.AccessToken, string(flipped))
		require.NotEmpty(t, reason(err), "a flipped bit at %d", at)

		_, err = k.Open(id, vault.AccessToken, sealed[:at])
		require.NotEmpty(t, reason(err), "cut off after %d", at)
	})
}

func TestRotationReadsOldKeys(t *testing.T) {
	t.Parallel()

	id := uuid.New()
	sealed := newKeyring(t, firstKey).Seal(id, vault.RefreshToken, "token")
	opened, err := newKeyring(t, secondKey, firstKey).Open(id, vault.RefreshToken, sealed)
	require.NoError(t, err)
	require.Equal(t, "token", opened)
	require.NotEqual(t, sealed[:11], newKeyring(t, secondKey, firstKey).Seal(id, vault.RefreshToken, "token")[:11], "the current key seals")
}

func TestOpenErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()

	k := newKeyring(t, firstKey)
	for name, c := range map[string]struct {
		sealed string
		want   vault.OpenReason
	}{
		"a plain token of an earlier system": {"v1u:AQIBAHj", vault.NotOurFormat},
		"hexadecimal of an earlier system":   {"00ff:00ff:00ff", vault.NotOurFormat},
		"a line break inside":                {k.Seal(uuid.Nil, vault.AccessToken, "x") + "\n", vault.NotOurFormat},
		"no whole iv":                        {k.Seal(uuid.Nil, vault.AccessToken, "x")[:12+20], vault.NotOurFormat},
		"another version":                    {"v2" + k.Seal(uuid.Nil, vault.AccessToken, "x")[2:], vault.NotOurFormat},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := k.Open(uuid.Nil, vault.AccessToken, c.sealed)
			require.Equal(t, c.want, reason(err))
			require.NotContains(t, err.Error(), c.sealed)
		})
	}
}

func FuzzOpen(f *testing.F) {
	k := newKeyring(f, firstKey, secondKey)
	// One text for all processes of the fuzzer, which would each seal another one.
	const sealed = "v1.fd2e0fb9.oXEKdtXK7HUm9CvTaL455hLwNmFr_Szwd-A2grCAkk8DQp7MRA"
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1] + "A")
	f.Add("v1." + strings.Repeat("0", 8) + ".")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := k.Open(uuid.Nil, vault.AccessToken, text)
		if text == sealed {
			require.NoError(t, err)
			require.Equal(t, "token", plain)
			return
		}
		require.NotEmpty(t, reason(err), "opened what was never sealed: %q", text)
	})
}
