package api

import (
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// PageQuery is what every list is asked with. Exported, since Huma looks for parameters in exported fields only.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most."`
	Cursor string `query:"cursor" maxLength:"300" doc:"next_cursor of the page before."`
}

// page is what every list is answered with.
type page[T any] struct {
	Items      []T     `json:"items" nullable:"false"`
	NextCursor *string `json:"next_cursor" doc:"Opaque. Null: that was the last page."`
}

// after reads the place in a list that is ordered by time.
func (l PageQuery) after() (a store.After, err error) {
	return a, l.read(&a)
}

func (l PageQuery) read(into any) error {
	if l.Cursor == "" {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(l.Cursor)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return badQuery("cursor", "next_cursor")
	}
	return nil
}

func badQuery(field, like string) *fault {
	f := invalid(field, words.PhraseFormat, like)
	f.status = http.StatusBadRequest
	return f
}

// pageOf makes a page of one row more than was asked for, if there is one; place is where a row stands in the list.
func pageOf[Row, View any](l PageQuery, rows []Row, views []View, place func(Row) any) (page[View], error) {
	p := page[View]{Items: views}
	if len(rows) <= l.Limit {
		return p, nil
	}
	p.Items = views[:l.Limit]
	b, err := json.Marshal(place(rows[l.Limit-1]))
	if err != nil {
		return p, err
	}
	next := base64.RawURLEncoding.EncodeToString(b)
	p.NextCursor = &next
	return p, nil
}

// pathID reads an id of a path. What isn't one names nothing.
func pathID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, &fault{code: codeNotFound}
	}
	return id, nil
}

// queryID reads an optional id of a query.
func queryID(field, text string) (*uuid.UUID, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // it isn't asked for
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, badQuery(field, exampleID)
	}
	return &id, nil
}
