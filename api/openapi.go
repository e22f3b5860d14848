package api

import (
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"example.com/enlace/providers/words"
)

// describeAPI is what the OpenAPI document says beside the operations.
func describeAPI(doc *huma.OpenAPI, publicURL string) {
	doc.Info.Description = "Syncs contacts of CRM accounts durably. Lists are {items, next_cursor}; a refusal is a problem (RFC 9457) whose `code` is stable. " +
		"A POST that causes work takes an Idempotency-Key: the same key and body give the same answer for a day."
	doc.Servers = []*huma.Server{{URL: publicURL}}
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key":     {Type: "http", Scheme: "bearer", Description: "An API key (enlace_…), the admin key, or a Supabase user's access token. An API key may also come in the header apikey."},
		"session": {Type: "apiKey", In: "cookie", Name: "enlace_session", Description: "A browser's session; __Host-enlace_session where the server is reached by https."},
	}
	doc.Extensions = map[string]any{"x-codes": codes()}
	doc.Components.Schemas = huma.NewMapRegistry(schemasPrefix, schemaName)
}

// codeDoc is what the documentation says of a code.
type codeDoc struct {
	Code      words.Code     `json:"code"`
	Title     string         `json:"title"`
	HTTP      int            `json:"http,omitempty"` // of an answer; none: only runs and messages have it
	Severity  words.Severity `json:"severity"`
	Who       words.Actor    `json:"who"`
	Condition string         `json:"condition"`
	Retry     string         `json:"retry"`
}

// codes is the closed list, in the order of its page.
func codes() []codeDoc {
	list := make([]codeDoc, 0, len(words.Codes()))
	for _, f := range words.Codes() {
		title := words.Render(words.En, f.Code, "", words.Args{}).Title
		list = append(list, codeDoc{f.Code, title, f.HTTP, f.Severity, f.Who, f.Condition, f.Retry})
	}
	return list
}

const schemasPrefix = "#/components/schemas/"

// schemaName is a type's name in the document: "Run", not "RunView".
func schemaName(t reflect.Type, hint string) string {
	return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "View")
}

// completeSchemas says what Huma leaves out: which ids and members may be null, that ids are UUIDs, and that answers may
// gain members. Its own form of errors is never answered.
func completeSchemas(doc *huma.OpenAPI) {
	registry := doc.Components.Schemas
	schemas := registry.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	for name, schema := range schemas {
		t := registry.TypeFromRef(schemasPrefix + name)
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		for _, field := range reflect.VisibleFields(t) {
			member, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if property := schema.Properties[member]; property != nil {
				completeProperty(schema, member, property, field.Type)
			}
		}
		if !strings.HasSuffix(name, "InputBody") {
			schema.AdditionalProperties = nil
		}
	}
}

func completeProperty(schema *huma.Schema, name string, property *huma.Schema, t reflect.Type) {
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[uuid.UUID]():
		property.Format, property.Nullable = "uuid", pointer
	case pointer && property.Ref != "":
		schema.Properties[name] = &huma.Schema{
			Description: property.Description,
			OneOf:       []*huma.Schema{{Ref: property.Ref}, {Type: "null"}},
		}
	}
}
