package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// form is what a field of a contact holds.
type form int

const (
	formMissing form = iota // not even the key, as for a field the user may not see
	formNull
	formText
	formLiteral // a number or a boolean
	formLookup  // name and id
	formUser    // name, id and email
	formTags
	formList // of strings
)

// value is a field's content, written over for each field so that a page of
// contacts allocates little.
type value struct {
	form form
	text []byte // of formText and formLiteral
	id   int64  // of formLookup, formUser and formTags, where it is the first
	name string
	mail string
	list []string
}

func (v *value) null() { v.form = formNull }

func (v *value) say(parts ...string) {
	v.form, v.text = formText, v.text[:0]
	for _, part := range parts {
		v.text = append(v.text, part...)
	}
}

func (v *value) number(n int64) {
	v.form, v.text = formLiteral, strconv.AppendInt(v.text[:0], n, 10)
}

func (v *value) claim(yes bool) {
	v.form, v.text = formLiteral, strconv.AppendBool(v.text[:0], yes)
}

func (v *value) lookup(id int64, name string) { v.form, v.id, v.name = formLookup, id, name }

func (v *value) strings(list ...string) { v.form, v.list = formList, list }

// zones are the offsets that times come in: one user's zone each, and one that is
// written as Z.
var zones = []*time.Location{
	time.FixedZone("", 3600), time.UTC, time.FixedZone("", -8*3600), time.FixedZone("", 5*3600+1800), time.FixedZone("", 2*3600),
}

const zohoTimeForm = "2006-01-02T15:04:05Z07:00"

// moment is a time in the zone that the id draws.
func (v *value) moment(seconds, id int64) {
	if seconds == noTime {
		v.null()
		return
	}
	v.form = formText
	v.text = time.Unix(seconds, 0).In(zones[id%int64(len(zones))]).AppendFormat(v.text[:0], zohoTimeForm)
}

// appendText writes text as a JSON string.
func appendText(b, text []byte) []byte {
	for _, c := range text {
		if c < 0x20 || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(string(text))
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

func appendString(b []byte, text string) []byte { return appendText(b, []byte(text)) }

func appendID(b []byte, id int64) []byte {
	b = append(b, '"')
	b = strconv.AppendInt(b, id, 10)
	return append(b, '"')
}

// appendList writes the value as lists and single reads have it.
func (v *value) appendList(b []byte) []byte {
	switch v.form {
	case formMissing, formNull:
		return append(b, "null"...)
	case formText:
		return appendText(b, v.text)
	case formLiteral:
		return append(b, v.text...)
	case formLookup, formUser:
		b = append(b, `{"name":`...)
		b = appendString(b, v.name)
		b = append(b, `,"id":`...)
		b = appendID(b, v.id)
		if v.form == formUser {
			b = append(b, `,"email":`...)
			b = appendString(b, v.mail)
		}
		return append(b, '}')
	case formTags:
		b = append(b, '[')
		for i, name := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"name":`...)
			b = appendString(b, name)
			b = append(b, `,"id":`...)
			b = appendID(b, v.id+int64(i))
			b = append(b, `,"color_code":null}`...)
		}
		return append(b, ']')
	case formList:
		b = append(b, '[')
		for i, text := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, text)
		}
		return append(b, ']')
	}
	return b
}

// appendCOQL writes the value as COQL has it: a lookup is its id alone.
// [bug: estuary/connectors#3655]
func (v *value) appendCOQL(b []byte) []byte {
	if v.form != formLookup && v.form != formUser {
		return v.appendList(b)
	}
	b = append(b, `{"id":`...)
	return append(appendID(b, v.id), '}')
}

// cell is the value as a bulk read's CSV has it: ids for lookups, nothing for
// null. How lists are joined is not known. [?]
func (v *value) cell() string {
	switch v.form {
	case formMissing, formNull:
	case formText, formLiteral:
		return string(v.text)
	case formLookup, formUser:
		return strconv.FormatInt(v.id, 10)
	case formTags:
		return strings.Join(v.list, ",")
	case formList:
		return strings.Join(v.list, ";")
	}
	return ""
}

// parse takes a value that a test wrote in the form of the list.
func (v *value) parse(text json.RawMessage) {
	var content any
	if json.Unmarshal(text, &content) != nil {
		v.null()
		return
	}
	switch content := content.(type) {
	case nil:
		v.null()
	case string:
		v.say(content)
	case map[string]any:
		v.parseLookup(content)
	case []any:
		v.parseList(content)
	default:
		v.form, v.text = formLiteral, append(v.text[:0], text...)
	}
}

func (v *value) parseLookup(content map[string]any) {
	id, _ := content["id"].(string)
	name, _ := content["name"].(string)
	n, _ := strconv.ParseInt(id, 10, 64)
	v.lookup(n, name)
}

func (v *value) parseList(content []any) {
	v.form, v.list = formList, nil
	for _, item := range content {
		switch item := item.(type) {
		case string:
			v.list = append(v.list, item)
		case map[string]any:
			v.form = formTags
			name, _ := item["name"].(string)
			v.list = append(v.list, name)
		}
	}
}
