package sandbox

import (
	"strconv"
	"strings"
	"time"
)

// Custom fields have keys of 40 hex digits, other ones in each real company.
const (
	fieldRevenue = "4a5b6c7d8e9f00112233445566778899aabbccdd"
	fieldNote    = "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff"
	fieldTags    = "1111111111111111111111111111111111111111"
	fieldSince   = "2222222222222222222222222222222222222222"
	fieldSource  = "3333333333333333333333333333333333333333"
)

// Odd records appear at a low rate: what live accounts hold and naive code trips
// over. Prime, so that they fall on every kind of person.
const (
	oddEvery  = 97
	longEvery = 4999 // with a custom text of some 60 kB
)

// appendPerson renders a record as the API's person object.
func appendPerson(b []byte, c *company, r record) []byte {
	if r.raw != nil {
		return append(b, r.raw...)
	}
	p := personOf(c.persons.seed, r.id, r.version)
	if r.version == 0 && r.id%oddEvery == 0 {
		return appendOdd(b, c, r, p)
	}
	b = appendHead(b, c, r, p)
	b = append(b, `,"emails":[{"value":"`...)
	b = append(append(b, p.slug...), '.')
	b = strconv.AppendInt(b, r.id, 10)
	if r.version > 0 {
		b = append(b, ".v"...)
		b = strconv.AppendInt(b, int64(r.version), 10)
	}
	b = append(b, `@example.com","primary":true,"label":"work"}`...)
	if r.id%3 == 0 {
		b = append(b, `,{"value":"`...)
		b = append(append(b, p.slug...), '.')
		b = strconv.AppendInt(b, r.id, 10)
		b = append(b, `@example.net","primary":false,"label":"home"}`...)
	}
	b = append(b, `],"phones":[{"value":"`...)
	if r.id%2 == 0 {
		b = append(b, p.phone...)
	} else {
		b = append(b, p.phoneAsTyped...)
	}
	b = append(b, `","primary":true,"label":"mobile"}]`...)
	b = append(b, `,"im":[],"job_title":"`...)
	b = append(b, p.job...)
	b = append(b, `","notes":null,"birthday":null,"postal_address":null`...)
	b = appendTail(b, r)
	return append(appendCustom(b, r, p), '}')
}

// appendHead writes the fields up to the times.
func appendHead(b []byte, c *company, r record, p person) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, r.id, 10)
	b = append(b, `,"name":"`...)
	b = append(append(append(b, p.first...), ' '), p.last...)
	b = append(b, `","first_name":"`...)
	b = append(b, p.first...)
	b = append(b, `","last_name":"`...)
	b = append(b, p.last...)
	b = append(b, `","owner_id":`...)
	b = strconv.AppendInt(b, int64(c.user), 10)
	b = append(b, `,"org_id":`...)
	b = strconv.AppendInt(b, 1+r.id%977, 10)
	return appendTimes(b, r)
}

func appendTimes(b []byte, r record) []byte {
	b = append(b, `,"add_time":`...)
	b = appendTime(b, r.added, false)
	b = append(b, `,"update_time":`...)
	return appendTime(b, r.updated, r.id%50 == 0)
}

// appendTime writes a time; a few come with milliseconds, as the documents show
// both forms.
func appendTime(b []byte, seconds int64, millis bool) []byte {
	if seconds == noTime {
		return append(b, "null"...)
	}
	form := `"2006-01-02T15:04:05Z"`
	if millis {
		form = `"2006-01-02T15:04:05.000Z"`
	}
	return time.Unix(seconds, 0).UTC().AppendFormat(b, form)
}

func appendTail(b []byte, r record) []byte {
	b = append(b, `,"is_deleted":`...)
	b = strconv.AppendBool(b, r.deleted != 0)
	b = append(b, `,"visible_to":3,"label_ids":[`...)
	b = strconv.AppendInt(b, 1+r.id%9, 10)
	return append(b, `],"picture_id":null`...)
}

func appendCustom(b []byte, r record, p person) []byte {
	b = append(b, `,"custom_fields":{"`+fieldRevenue+`":{"value":`...)
	b = strconv.AppendInt(b, 100*(r.id%997)+int64(r.version), 10)
	b = append(b, `,"currency":"EUR"},"`+fieldNote+`":"`...)
	b = append(append(append(b, p.company...), ", "...), p.city...)
	if r.id%longEvery == 0 {
		b = append(b, strings.Repeat(" long note", 6000)...)
	}
	b = append(b, `","`+fieldTags+`":[12,`...)
	b = strconv.AppendInt(b, 13+r.id%7, 10)
	return append(b, `],"`+fieldSince+`":"2024-02-29","`+fieldSource+`":null}`...)
}

// appendOdd renders the shapes of providers/pipedrive.md §2.
func appendOdd(b []byte, c *company, r record, p person) []byte {
	switch r.id / oddEvery % 4 {
	case 0: // blanks, doubles, remarks in the place of a number
		b = appendHead(b, c, r, p)
		b = append(b, `,"emails":[{"value":"","primary":true,"label":"work"},{"value":" `...)
		b = append(append(b, p.slug...), '.')
		b = strconv.AppendInt(b, r.id, 10)
		b = append(b, `@Example.com ","primary":false,"label":"home"},{"value":"`...)
		b = append(append(b, p.slug...), '.')
		b = strconv.AppendInt(b, r.id, 10)
		b = append(b, `@example.com","primary":false,"label":"Büro"}],"phones":[{"value":"0049 (0) 30 / 1234-56 ext. 7","primary":true,"label":"work"},{"value":"☎ ask reception","primary":false,"label":""}]`...)
		return append(appendCustom(appendTail(b, r), r, p), '}')
	case 1: // nulls
		b = append(b, `{"id":`...)
		b = strconv.AppendInt(b, r.id, 10)
		b = append(b, `,"name":null,"first_name":null,"last_name":null,"owner_id":null,"org_id":null`...)
		b = append(appendTimes(b, r), `,"emails":null,"phones":[],"is_deleted":`...)
		b = strconv.AppendBool(b, r.deleted != 0)
		return append(b, `,"visible_to":null,"label_ids":null,"custom_fields":{}}`...)
	case 2: // hardly a field
		b = append(b, `{"id":`...)
		b = strconv.AppendInt(b, r.id, 10)
		b = append(b, `,"name":"李小龍 🐉","owner_id":`...)
		b = strconv.AppendInt(b, int64(c.user), 10)
		b = append(b, `,"update_time":`...)
		return append(appendTime(b, r.updated, true), '}')
	}
	b = append(b, `{"id":`...) // control characters, two addresses in one, a null value
	b = strconv.AppendInt(b, r.id, 10)
	b = append(b, `,"name":"\u0000weird\u0007"`...)
	b = append(appendTimes(b, r), `,"emails":[{"value":"a`...)
	b = strconv.AppendInt(b, r.id, 10)
	b = append(b, `@example.org, b`...)
	b = strconv.AppendInt(b, r.id, 10)
	b = append(b, `@example.org","primary":true}],"phones":[{"value":null,"primary":true,"label":null}],"is_deleted":`...)
	return append(strconv.AppendBool(b, r.deleted != 0), '}')
}
