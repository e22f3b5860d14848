package providers

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Addresses are those that aren't blank, each value once.
func Addresses(from ...Address) (list []Address) {
	for _, a := range from {
		value := strings.TrimSpace(a.Value)
		same := func(b Address) bool { return strings.TrimSpace(b.Value) == value }
		if value != "" && !slices.ContainsFunc(list, same) {
			list = append(list, a)
		}
	}
	return list
}

// CustomFields is [Contact.CustomFields] of texts: those that aren't empty.
func CustomFields(texts map[string]string) []byte {
	texts = maps.Clone(texts)
	maps.DeleteFunc(texts, func(_, text string) bool { return text == "" })
	if len(texts) == 0 {
		return nil
	}
	object, _ := json.Marshal(texts, json.Deterministic(true)) // of texts: CleanJSON has made them what JSON can hold
	return object
}

// RecordTime reads a time by which a record is decided about: one that is missing is zero, and one that can't be read is
// a [*RecordError] of the field. A time of creation decides nothing: [ParseTime] is zero for what it can't read.
func RecordTime(field, text string) (time.Time, error) {
	t, err := ParseTime(text)
	if err != nil {
		return t, &RecordError{Reason: "bad_time", Field: field, Detail: text}
	}
	return t, nil
}
