package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"

	"github.com/google/uuid"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
)

// Column is the column that a sealed text belongs in. It is part of what is authenticated: a text opens nowhere else.
type Column string

// The columns with sealed texts.
const (
	AccessToken  Column = "access_token"
	RefreshToken Column = "refresh_token"
	Secret       Column = "secret" // of a channel of notifications
)

const (
	keyBytes = 32 // AES-256
	ivBytes  = 16 // as the system that enlace replaces has it, instead of GCM's usual 12
)

// Keyring seals with its current key and opens with any. It is safe for concurrent use.
type Keyring struct {
	current string
	keys    map[string]cipher.AEAD // by key id
}

// NewKeyring makes a key ring of keys in hexadecimal. The old ones only open. An error names the key by its place and
// says what it must look like; it never repeats it.
func NewKeyring(current string, old ...string) (*Keyring, error) {
	k := &Keyring{keys: map[string]cipher.AEAD{}}
	id, err := k.add(current)
	if err != nil {
		return nil, fmt.Errorf("the current key %w", err)
	}
	k.current = id
	for i, text := range old {
		if _, err := k.add(text); err != nil {
			return nil, fmt.Errorf("old key %d %w", i+1, err)
		}
	}
	return k, nil
}

// errKeyForm continues the name of a key.
var errKeyForm = errors.New("must be 64 hexadecimal digits (make one with: openssl rand -hex 32)")

func (k *Keyring) add(text string) (id string, err error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != keyBytes {
		return "", errKeyForm // the cause repeats a digit of the key
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	aead, err := cipher.NewGCMWithNonceSize(block, ivBytes)
	if err != nil {
		return "", err
	}
	id = keyID(key)
	k.keys[id] = aead
	return id, nil
}

// keyID names a key without telling it: a few bytes of a hash of 256 random bits.
func keyID(key []byte) string {
	sum := sha256.Sum256(append([]byte("enlace key id\x00"), key...))
	return hex.EncodeToString(sum[:4])
}

// Seal encrypts a text for one column of one row, as v1.<key id>.<base64url(iv|ciphertext|tag)>.
func (k *Keyring) Seal(integration uuid.UUID, column Column, plaintext string) string {
	iv := make([]byte, ivBytes)
	_, _ = rand.Read(iv) // never fails: crypto/rand ends the process instead
	sealed := k.keys[k.current].Seal(iv, iv, []byte(plaintext), additional(integration, column))
	return "v1." + k.current + "." + encoding.EncodeToString(sealed)
}

// encoding is strict, so that a sealed text has one spelling only.
var encoding = base64.RawURLEncoding.Strict()

var form = regexp.MustCompile(`^v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)$`)

// Open decrypts what Seal made for the same column of the same row. The error is an [*OpenError].
func (k *Keyring) Open(integration uuid.UUID, column Column, sealed string) (string, error) {
	parts := form.FindStringSubmatch(sealed)
	if parts == nil {
		return "", &OpenError{Column: column, Reason: NotOurFormat}
	}
	raw, err := encoding.DecodeString(parts[2])
	if err != nil || len(raw) < ivBytes {
		return "", &OpenError{Column: column, Reason: NotOurFormat}
	}
	aead, ok := k.keys[parts[1]]
	if !ok {
		return "", &OpenError{Column: column, Reason: UnknownKey, KeyID: parts[1]}
	}
	plaintext, err := aead.Open(nil, raw[:ivBytes], raw[ivBytes:], additional(integration, column))
	if err != nil {
		return "", &OpenError{Column: column, Reason: NotAuthentic, KeyID: parts[1]}
	}
	return string(plaintext), nil
}

// isCurrent reports whether a text was sealed with the current key.
func (k *Keyring) isCurrent(sealed string) bool {
	parts := form.FindStringSubmatch(sealed)
	return parts != nil && parts[1] == k.current
}

func additional(integration uuid.UUID, column Column) []byte {
	return append(integration[:], column...)
}

// OpenReason is why a sealed text doesn't open.
type OpenReason string

// The reasons.
const (
	NotOurFormat OpenReason = "it is not in our format; run `enlace keys import`"
	UnknownKey   OpenReason = "its key is not in the key ring; add it to ENCRYPTION_KEYS_OLD"
	NotAuthentic OpenReason = "it was changed, or sealed for another row or column"
)

// OpenError says that a stored token can't be opened. It holds nothing of the token.
type OpenError struct {
	Column Column
	Reason OpenReason
	KeyID  string // of the key that would be needed, if the text names one
}

func (e *OpenError) Error() string {
	text := fmt.Sprintf("open %s: %s", e.Column, e.Reason)
	if e.KeyID != "" {
		text += " (key id " + e.KeyID + ")"
	}
	return text
}

// misconfigured is what the error means for a run: the operator acts, the tokens stay as they are.
func (e *OpenError) misconfigured(op string) *providers.Error {
	return &providers.Error{Kind: providers.Misconfigured, Variant: words.VariantKey, Op: op, Detail: e.Error(), Err: e}
}
