package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"example.com/enlace/providers/words"
)

// The bounds of notes. An exponent of more digits would make thousands of digits of a few, as jsonb writes numbers out.
const (
	maxNotes    = 16 << 10 // bytes
	maxDepth    = 100      // objects and lists in one another
	maxExponent = 3        // digits
)

// notes are what a tenant keeps with an integration: an object of its own making, stored as it is written, so that a long
// number keeps its last digits.
type notes struct{ text json.RawMessage }

// UnmarshalJSON is that of [json.Unmarshaler].
func (n *notes) UnmarshalJSON(text []byte) error {
	n.text = bytes.Clone(text)
	return nil
}

// Schema is that of [huma.SchemaProvider].
func (*notes) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{}}
}

// read gives the notes if they are an object that is small enough.
func (n *notes) read() (json.RawMessage, error) {
	if len(n.text) > maxNotes {
		return nil, &fault{code: codeValidation, fields: []badField{{field: "metadata", phrase: words.PhraseTooLong, limit: "16 KiB"}}}
	}
	if !bytes.HasPrefix(n.text, []byte("{")) || !storableJSON(n.text) {
		return nil, invalid("metadata", words.PhraseFormat, "{…}")
	}
	return n.text, nil
}

// storableJSON reports whether JSON neither goes too deep nor has a number that jsonb can't hold or would write out at
// length.
func storableJSON(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
			if depth > maxDepth {
				return false
			}
		case json.Number:
			if at := strings.IndexAny(t.String(), "eE"); at >= 0 && len(strings.TrimLeft(t.String()[at+1:], "+-")) > maxExponent {
				return false
			}
		}
	}
}
