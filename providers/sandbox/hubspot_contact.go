package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hubspotFirstID is the id before that of the first generated contact: beyond
// 2^40, and so that ids grow a digit after forty contacts. Records are numbered
// from it, so that contacts put in by tests may have any id.
const hubspotFirstID = 9_999_999_999_959

func hubspotID(number int64) int64      { return number + hubspotFirstID }
func hubspotNumber(id int64) int64      { return id - hubspotFirstID }
func hubspotIDText(number int64) string { return strconv.FormatInt(hubspotID(number), 10) }

// How long an archived contact can be read and restored.
const hubspotRetention = 90 * 24 * time.Hour

// property is a name of a contact's property; all values are text.
type property = string

const (
	propID          property = "hs_object_id"
	propCreated     property = "createdate"
	propModified    property = "lastmodifieddate"
	propMerged      property = "hs_merged_object_ids"
	propMergedVIDs  property = "hs_calculated_merged_vids"
	propEmail       property = "email"
	propMoreEmails  property = "hs_additional_emails"
	propFirst       property = "firstname"
	propLast        property = "lastname"
	propPhone       property = "phone"
	propMobile      property = "mobilephone"
	propCompany     property = "company"
	propJob         property = "jobtitle"
	propCity        property = "city"
	propOwner       property = "hubspot_owner_id"
	propStage       property = "lifecyclestage"
	propInterests   property = "interests"      // custom: several choices
	propPoints      property = "loyalty_points" // custom: a number
	propNewsletter  property = "newsletter"     // custom: a boolean
	propMessage     property = "message"        // long in a few
	propBirthday    property = "date_of_birth"
	hubspotLongText          = " long note"
)

// propertyType is how search compares values.
type propertyType int

const (
	typeText propertyType = iota
	typeNumber
	typeTime
)

// propertyTypes names every property that contacts have.
var propertyTypes = map[property]propertyType{
	propID: typeNumber, propCreated: typeTime, propModified: typeTime, propMerged: typeText, propMergedVIDs: typeText,
	propEmail: typeText, propMoreEmails: typeText, propFirst: typeText, propLast: typeText, propPhone: typeText,
	propMobile: typeText, propCompany: typeText, propJob: typeText, propCity: typeText, propOwner: typeNumber, propStage: typeText,
	propInterests: typeText, propPoints: typeNumber, propNewsletter: typeText, propMessage: typeText, propBirthday: typeText,
}

// defaultProperties come if none are asked for.
var defaultProperties = []property{propCreated, propEmail, propFirst, propID, propModified, propLast}

// properties are a contact's values by name: nil for null, absent for a key that
// the provider leaves out although it was asked for.
type properties map[property]*string

// contactObject is a contact as the API shows it.
type contactObject struct {
	ID         string     `json:"id"`
	Properties properties `json:"properties"`
	CreatedAt  string     `json:"createdAt"`
	UpdatedAt  string     `json:"updatedAt"`
	Archived   bool       `json:"archived"`
	ArchivedAt *string    `json:"archivedAt,omitempty"`
}

// pick leaves the asked properties; unknown names are passed over in silence.
func (o contactObject) pick(names []property) contactObject {
	picked := make(properties, len(names))
	for _, name := range names {
		if value, ok := o.Properties[name]; ok {
			picked[name] = value
		}
	}
	o.Properties = picked
	return o
}

// hubspotTime is RFC 3339 in UTC; whole seconds come without a fraction.
func hubspotTime(ms int64) string {
	at := time.UnixMilli(ms).UTC()
	if at.Nanosecond() == 0 {
		return at.Format("2006-01-02T15:04:05Z")
	}
	return at.Format("2006-01-02T15:04:05.000Z")
}

// timeText is a time as a property's value.
func timeText(ms int64) *string {
	if ms == noTime {
		return nil
	}
	text := hubspotTime(ms)
	return &text
}

// object renders a record with all its properties.
func (p *portal) object(r record) contactObject {
	o := contactObject{ID: hubspotIDText(r.id), Archived: r.deleted != 0}
	updated := r.updated
	if r.raw != nil {
		o.Properties, o.CreatedAt, o.UpdatedAt = p.written(r)
	} else {
		o.Properties = p.generate(r)
		o.CreatedAt = hubspotTime(r.added)
		if updated == noTime {
			updated = r.added
		}
		if r.id%5 == 0 {
			updated += 7 // what is computed afterwards moves it a little further than lastmodifieddate
		}
		o.UpdatedAt = hubspotTime(updated)
	}
	p.merges.describe(o.Properties, r.id)
	if r.deleted != 0 {
		o.ArchivedAt = timeText(r.deleted)
	}
	return o
}

// written reads what a test or a merge wrote, with the record's own id and times.
func (p *portal) written(r record) (props properties, created, updated string) {
	var o contactObject
	_ = json.Unmarshal(r.raw, &o) // was read when it was stored
	for name, value := range map[property]*string{propModified: timeText(r.updated), propID: &o.ID, propCreated: timeText(r.added)} {
		if _, ok := o.Properties[name]; ok {
			o.Properties[name] = value
		}
	}
	if at, err := millis(&o.UpdatedAt); err != nil || at < r.updated {
		o.UpdatedAt = hubspotTime(max(r.updated, r.added))
	}
	return o.Properties, o.CreatedAt, o.UpdatedAt
}

// generate makes the properties of a record from its number.
func (p *portal) generate(r record) properties {
	who := personOf(p.contacts.seed, r.id, r.version)
	props := make(properties, len(propertyTypes))
	for name := range propertyTypes {
		props[name] = nil
	}
	set := func(name property, value string) {
		if value != "" {
			props[name] = &value
		}
	}
	id := hubspotIDText(r.id)
	props[propID], props[propCreated], props[propModified] = &id, timeText(r.added), timeText(r.updated)
	if r.version == 0 && r.id%oddEvery == 0 {
		return oddProperties(r, who, props, set)
	}
	set(propFirst, who.first)
	set(propLast, strings.ReplaceAll(who.last, `\"`, `"`)) // people are kept as JSON has them
	version := ""
	if r.version > 0 {
		version = ".v" + strconv.Itoa(r.version)
	}
	set(propEmail, fmt.Sprintf("%s.%d%s@example.com", who.slug, r.id, version))
	if r.id%3 == 0 {
		set(propMoreEmails, fmt.Sprintf("%s.%d@example.net", who.slug, r.id))
		set(propMobile, who.phone)
	}
	set(propPhone, who.phoneAsTyped)
	if r.id%2 == 0 {
		set(propPhone, who.phone)
	}
	set(propCompany, who.company)
	set(propJob, who.job)
	set(propCity, who.city)
	set(propOwner, strconv.Itoa(p.user))
	set(propStage, []string{"lead", "customer", "opportunity"}[int(uint64(r.id)%3)]) //nolint:gosec // any of the three
	set(propInterests, []string{"tools;coffee", "coffee", ""}[int(uint64(r.id)%3)])  //nolint:gosec // any of the three
	set(propPoints, strconv.Itoa(int(uint64(r.id)%997)+r.version))                   //nolint:gosec // below 997
	set(propNewsletter, strconv.FormatBool(r.id%2 == 0))
	if r.id%longEvery == 0 {
		set(propMessage, strings.Repeat(hubspotLongText, 6000))
	}
	return props
}

// oddProperties are shapes that live accounts hold and naive code trips over.
func oddProperties(r record, who person, props properties, set func(property, string)) properties {
	switch r.id / oddEvery % 4 {
	case 0: // blanks, doubles, a remark in the place of a number
		blank, space := "", " "
		props[propFirst], props[propLast], props[propJob] = &blank, &space, &blank
		set(propEmail, fmt.Sprintf("%s.%d@example.com", who.slug, r.id))
		set(propMoreEmails, fmt.Sprintf("%s.%d@example.org; ;%s.%d@example.com", who.slug, r.id, who.slug, r.id))
		set(propPhone, "0049 (0) 30 / 1234-56 ext. 7")
		set(propMobile, "☎ ask reception")
	case 1: // nulls: all that is not set
	case 2: // hardly a key
		for name := range props {
			if name != propID && name != propModified && name != propFirst {
				delete(props, name)
			}
		}
		set(propFirst, "李小龍 🐉")
	case 3: // control characters, a blank number
		set(propFirst, "\x00weird\a")
		set(propPhone, "\x00☎")
		set(propEmail, fmt.Sprintf("a%d@example.org", r.id))
	}
	return props
}

// parseProperties reads the properties parameter; blanks are dropped.
func parseProperties(text string) []property {
	var names []property
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if names == nil {
		return defaultProperties
	}
	return names
}
