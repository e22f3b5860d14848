package sandbox

import (
	"strconv"
	"strings"
)

// zohoField is a field of Contacts: how the metadata shows it, and how a
// contact's value is made.
type zohoField struct {
	name     string
	dataType string
	jsonType string
	fill     func(v *contactView)
}

// custom says whether the field is one that the org added.
func (f zohoField) custom() bool { return customFields[f.name] }

var customFields = map[string]bool{
	"Custom_Notes": true, "Interests": true, "Customer_Since": true, "Score": true, "Annual_Spend": true,
	"VIP_Member": true, "External_Ref": true, "Lifetime_Value": true, "Source_Detail": true,
	"Legacy_Code": true, "Geo_Position": true,
}

// zohoFields are the fields of Contacts in the order of the metadata: the default
// layout's and some custom ones, together more than one request may ask for.
var zohoFields = []zohoField{
	{"Owner", "ownerlookup", "jsonobject", (*contactView).owner},
	{"Lead_Source", "picklist", "string", func(v *contactView) { v.say([]string{"Web", "Trade Show", "Cold Call"}[v.r.id%3]) }},
	{"First_Name", "text", "string", func(v *contactView) { v.say(v.p.first) }},
	{"Last_Name", "text", "string", func(v *contactView) { v.say(v.p.last) }},
	{"Full_Name", "text", "string", func(v *contactView) { v.say(v.p.first, " ", v.p.last) }},
	{"Account_Name", "lookup", "jsonobject", func(v *contactView) { v.lookup(v.org.recordID(accountIDs+v.account()), v.p.company) }},
	{"Vendor_Name", "lookup", "jsonobject", nothing},
	{"Email", "email", "string", func(v *contactView) { v.address("example.com", true) }},
	{"Title", "text", "string", func(v *contactView) { v.sayOrNull(v.p.job) }},
	{"Department", "text", "string", func(v *contactView) { v.say("Purchasing") }},
	{"Phone", "phone", "string", (*contactView).phone},
	{"Home_Phone", "phone", "string", nothing},
	{"Other_Phone", "phone", "string", nothing},
	{"Fax", "phone", "string", nothing},
	{"Mobile", "phone", "string", func(v *contactView) { v.sayOrNull([]string{"", v.p.phoneAsTyped}[v.r.id%2]) }},
	{"Date_of_Birth", "date", "string", func(v *contactView) { v.sayOrNull([]string{"1980-02-29", "", "1979-12-31"}[v.r.id%3]) }},
	{"Assistant", "text", "string", nothing},
	{"Asst_Phone", "phone", "string", nothing},
	{"Email_Opt_Out", "boolean", "boolean", func(v *contactView) { v.claim(v.r.id%11 == 0) }},
	{"Skype_ID", "text", "string", nothing},
	{"Secondary_Email", "email", "string", func(v *contactView) {
		v.null()
		if v.r.id%3 == 0 {
			v.address("example.net", false)
		}
	}},
	{"Twitter", "text", "string", nothing},
	{"Reporting_To", "lookup", "jsonobject", nothing},
	{"Salutation", "picklist", "string", nothing},
	{"Tag", "text", "jsonarray", (*contactView).tags},
	{"Description", "textarea", "string", func(v *contactView) { v.say("Met in ", v.p.city) }},
	{"Mailing_Street", "text", "string", func(v *contactView) { v.say("Main Street ", strconv.FormatInt(1+v.r.id%200, 10)) }},
	{"Mailing_City", "text", "string", func(v *contactView) { v.say(v.p.city) }},
	{"Mailing_State", "text", "string", nothing},
	{"Mailing_Zip", "text", "string", func(v *contactView) { v.say(strconv.FormatInt(10000+v.r.id%90000, 10)) }},
	{"Mailing_Country", "text", "string", nothing},
	{"Other_Street", "text", "string", nothing},
	{"Other_City", "text", "string", nothing},
	{"Other_State", "text", "string", nothing},
	{"Other_Zip", "text", "string", nothing},
	{"Other_Country", "text", "string", nothing},
	{"Created_By", "ownerlookup", "jsonobject", (*contactView).owner},
	{"Modified_By", "ownerlookup", "jsonobject", (*contactView).owner},
	{"Created_Time", "datetime", "string", func(v *contactView) { v.moment(v.r.added, v.r.id+1) }},
	{"Modified_Time", "datetime", "string", func(v *contactView) { v.moment(v.r.updated, v.r.id) }},
	{"Last_Activity_Time", "datetime", "string", func(v *contactView) { v.moment(v.r.updated, v.r.id+2) }},
	{"Unsubscribed_Mode", "picklist", "string", nothing},
	{"Unsubscribed_Time", "datetime", "string", nothing},
	{"Locked__s", "boolean", "boolean", func(v *contactView) { v.claim(false) }},
	{"Record_Image", "profileimage", "string", nothing},
	{"Currency", "picklist", "string", func(v *contactView) { v.say("EUR") }},

	{"Custom_Notes", "textarea", "string", (*contactView).notes},
	{"Interests", "multiselectpicklist", "jsonarray", func(v *contactView) { v.strings([]string{"A", "B", "C; D"}[:v.r.id%4]...) }},
	{"Customer_Since", "date", "string", func(v *contactView) { v.say("2024-02-29") }},
	{"Score", "integer", "integer", func(v *contactView) { v.number(v.r.id % 101) }},
	{"Annual_Spend", "currency", "double", func(v *contactView) {
		v.number(100*(v.r.id%997) + int64(v.r.version))
		v.text = append(v.text, ".5"...)
	}},
	{"VIP_Member", "boolean", "boolean", func(v *contactView) { v.claim(v.r.id%17 == 0) }},
	{"External_Ref", "text", "string", func(v *contactView) { v.say("ref-", strconv.FormatInt(v.r.id, 10)) }},
	{"Lifetime_Value", "formula", "double", func(v *contactView) { v.number(1000 + int64(v.r.version)) }},
	{"Source_Detail", "text", "string", nothing},
}

var zohoFieldByName = func() map[string]*zohoField {
	byName := map[string]*zohoField{}
	for i := range zohoFields {
		byName[zohoFields[i].name] = &zohoFields[i]
	}
	return byName
}()

func nothing(v *contactView) { v.null() }

// contactView is one contact while it is rendered.
type contactView struct {
	value
	org *zohoOrg
	r   record
	p   person
	odd int                // one of the shapes that naive code trips over, or notOdd
	put map[string]rawJSON // what a test wrote, else nil
}

// Odd contacts, at the rate of oddEvery. [rule: providers' shapes that were seen]
const (
	notOdd    = -1
	oddTexts  = 0 // blanks, remarks in the place of a number, commas and quotes in names
	oddNulls  = 1 // nulls all over
	oddScarce = 2 // hardly a field
	oddLines  = 3 // line breaks, quotes, right to left, a control character
	oddTimes  = 4 // no times
	oddKinds  = 5
)

// look points the view at a record.
func (v *contactView) look(o *zohoOrg, r record) {
	v.org, v.r, v.odd, v.put = o, r, notOdd, nil
	if r.raw != nil {
		v.put = rawFields(r.raw)
		return
	}
	v.p = personOf(o.contacts.seed, r.id, r.version)
	if r.version == 0 && r.id%oddEvery == 0 {
		v.odd = int(r.id / oddEvery % oddKinds)
	}
}

// read makes the value of a field.
func (v *contactView) read(f *zohoField) {
	if v.put != nil {
		v.form = formMissing
		if text, ok := v.put[f.name]; ok {
			v.parse(text)
		}
		return
	}
	f.fill(v)
	if v.odd != notOdd {
		v.distort(f)
	}
}

// distort makes the value what it is in an odd contact.
func (v *contactView) distort(f *zohoField) {
	switch v.odd {
	case oddTexts:
		v.oddText(f.name)
	case oddNulls:
		switch f.name {
		case "Last_Name":
			v.say(".")
		case "Phone":
			v.say("n/a")
		case "Tag":
			v.form, v.list = formTags, nil
		case "Created_Time", "Modified_Time":
		default:
			v.null()
		}
	case oddScarce:
		switch f.name {
		case "Last_Name":
			v.say("王 🐉")
		case "Modified_Time", "Custom_Notes", "Interests":
		default:
			v.form = formMissing
		}
	case oddLines:
		switch f.name {
		case "Last_Name":
			v.say("عبد الرحمن \u202bx\u202c")
		case "Custom_Notes":
			v.say("line one\r\nline \"two\",\nline three\u0007")
		}
	case oddTimes:
		if f.dataType == "datetime" {
			v.form = formMissing
		}
	}
}

func (v *contactView) oddText(name string) {
	switch name {
	case "Last_Name":
		v.say(`O'Neil, "Jr."`)
	case "Email":
		v.say(" ", strings.ToUpper(v.p.slug), ".", strconv.FormatInt(v.r.id, 10), "@Example.com ")
	case "Secondary_Email":
		v.say(v.p.slug, ".", strconv.FormatInt(v.r.id, 10), "@example.com")
	case "Phone":
		v.say("+46 (0)8-123 456 00 anknytning 12")
	case "Mobile":
		v.say("☎ ask reception")
	}
}

func (v *contactView) sayOrNull(text string) {
	v.null()
	if text != "" {
		v.say(text)
	}
}

func (v *contactView) account() int64 { return 1 + v.r.id%977 }

func (v *contactView) owner() {
	v.form, v.id = formUser, v.org.recordID(userIDs+90001)
	v.name, v.mail = v.org.userName(), v.org.userEmail()
}

// address is an e-mail address; the main one names the version, so that each
// change shows.
func (v *contactView) address(domain string, versioned bool) {
	v.say(v.p.slug, ".")
	v.text = strconv.AppendInt(v.text, v.r.id, 10)
	if versioned && v.r.version > 0 {
		v.text = append(v.text, ".v"...)
		v.text = strconv.AppendInt(v.text, int64(v.r.version), 10)
	}
	v.text = append(append(v.text, '@'), domain...)
}

func (v *contactView) phone() {
	if v.r.id%2 == 0 {
		v.say(v.p.phone)
	} else {
		v.say(v.p.phoneAsTyped)
	}
}

var tagNames = []string{"VIP", "Newsletter", "Messe, 2024"}

func (v *contactView) tags() {
	first := v.r.id % int64(len(tagNames))
	v.form, v.id, v.list = formTags, v.org.recordID(tagIDs+1+first), tagNames[first:first+1]
	if v.r.id%5 == 0 {
		v.list = nil
	}
}

func (v *contactView) notes() {
	v.say(v.p.company, ", ", v.p.city)
	if v.r.id%longEvery == 0 {
		v.text = append(v.text, strings.Repeat(" long note", 6000)...)
	}
}
