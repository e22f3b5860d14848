package providers

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxRecord bounds one record, in bytes of JSON; a larger one is a [Failure] with reason "too_large".
const MaxRecord = 1 << 20

// Text is a JSON string or number, digit for digit: providers send the same id as either. Null is empty.
type Text string

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (t *Text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	kind := dec.PeekKind()
	token, err := dec.ReadToken()
	switch {
	case err != nil:
		return err
	case kind == 'n':
		*t = ""
	case kind == '"' || kind == '0':
		*t = Text(token.String())
	default:
		return &json.SemanticError{JSONKind: kind, Err: errors.New("neither a text nor a number")}
	}
	return nil
}

// RecordError says why one record can't be taken: Reason is one of the keys of WORDS §6.
type RecordError struct{ Reason, Field, Detail string }

func (e *RecordError) Error() string {
	return strings.TrimRight(e.Reason+" "+e.Field+" "+e.Detail, " ")
}

// DecodeRecord decodes one record into v: tolerant of unknown names and of names that come twice. The error is a [*RecordError].
func DecodeRecord(raw jsontext.Value, v any) error {
	if len(raw) > MaxRecord {
		return &RecordError{Reason: "too_large"}
	}
	err := json.Unmarshal(raw, v, jsontext.AllowDuplicateNames(true))
	if err == nil {
		return nil
	}
	bad := &RecordError{Reason: "bad_shape"}
	if s, ok := errors.AsType[*json.SemanticError](err); ok { // its text repeats values, its pointer doesn't
		bad.Field, _, _ = strings.Cut(strings.TrimPrefix(string(s.JSONPointer), "/"), "/")
	}
	return bad
}

// ReadRecord turns one record into a contact by read, whose error is a [*RecordError]. A record without an id is one that
// can't be taken, whatever else it lacks; a contact without a name is called by the parts of one.
func ReadRecord(raw jsontext.Value, read Reader) (Contact, *Failure) {
	contact, err := read(raw)
	if err == nil && contact.ExternalID == "" {
		err = &RecordError{Reason: "no_id"}
	}
	if err == nil {
		contact.Name = cmp.Or(contact.Name, strings.TrimSpace(contact.FirstName+" "+contact.LastName))
		return contact, nil
	}
	failure := &Failure{Reason: "bad_shape", Payload: slices.Clone(Cut([]byte(raw), MaxFailurePayload))}
	if bad, ok := errors.AsType[*RecordError](err); ok {
		failure.Reason, failure.Field, failure.Detail = bad.Reason, bad.Field, Cut(bad.Detail, MaxDetail)
	}
	var named struct {
		ID Text `json:"id"`
	}
	if json.Unmarshal(raw, &named, jsontext.AllowDuplicateNames(true)) == nil {
		failure.ExternalID = string(named.ID)
	}
	return Contact{}, failure
}

// ReadRecords reads records one by one, so that a bad one spoils no other.
func ReadRecords(records []jsontext.Value, read Reader) (contacts []Contact, failures []Failure) {
	contacts = make([]Contact, 0, len(records))
	for _, raw := range records {
		if contact, failure := ReadRecord(raw, read); failure != nil {
			failures = append(failures, *failure)
		} else {
			contacts = append(contacts, contact)
		}
	}
	return contacts, failures
}
