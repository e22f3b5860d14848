package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

// COQL serves what key-set walks and reads of ids need; what else the language
// has is refused. [doc: COQL limitations]
const (
	coqlMostRows       = 2000
	coqlDefaultRows    = 200
	coqlMostConditions = 25
	coqlMostValues     = 100 // of one in [?]
)

// coqlColumn is one thing that a query selects.
type coqlColumn struct {
	name  string     // as it was written, which is its key in the answer
	field *zohoField // nil for the id
	named bool       // of a lookup its name, as in Account_Name.Account_Name
}

// coqlQuery is a query that was understood.
type coqlQuery struct {
	walk
	columns []coqlColumn
	ids     []int64 // of in and =, which need no walk; nil without them
	skip    int
}

// priceOfCOQL is what a query costs, by the rows that it asks for. [doc: API
// Limits]
func priceOfCOQL(r *http.Request) int {
	text, err := readCOQL(r)
	if err != nil {
		return 1
	}
	p := coqlParser{tokens: coqlTokens(text)}
	switch limit := p.askedRows(); {
	case limit <= 200:
		return 1
	case limit <= 1000:
		return 2
	}
	return 3
}

// readCOQL reads the query of a request and leaves the body to be read again.
func readCOQL(r *http.Request) (string, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	_ = r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return "", err //nolint:wrapcheck // it only means that there is no query
	}
	var asked struct {
		SelectQuery string `json:"select_query"`
	}
	err = json.Unmarshal(body, &asked)
	return asked.SelectQuery, err //nolint:wrapcheck // it only means that there is no query
}

// queryContacts is POST /crm/v8/coql.
func (z *Zoho) queryContacts(w http.ResponseWriter, r *http.Request, s zohoSession) {
	text, err := readCOQL(r)
	if err != nil || text == "" {
		refuse(http.StatusBadRequest, "MANDATORY_NOT_FOUND", "required field not found", map[string]any{"api_name": "select_query", "json_path": "$.select_query"}).write(w)
		return
	}
	q, refused := parseCOQL(text, s)
	if refused != nil {
		refused.write(w)
		return
	}
	asked := q.walk
	asked.keep = func(r record) bool { return s.sees(r) && q.keep(r) }
	asked.limit += q.skip
	var found []record
	var more bool
	if q.ids != nil {
		found, more = s.org.contacts.named(asked, q.ids)
	} else {
		found, more = s.org.contacts.page(asked)
	}
	found = found[min(q.skip, len(found)):]
	found, more, _ = distortPage(quirk(r), zohoQuestion{}, found, more, "")
	if len(found) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	b := append(make([]byte, 0, 512*(len(found)+1)), `{"data":[`...)
	var view contactView
	for i, r := range found {
		if i > 0 {
			b = append(b, ',')
		}
		b = view.appendRow(b, s.org, r, q.columns)
	}
	b = append(b, `],"info":`...)
	b = append(b, encoded(map[string]any{"count": len(found), "more_records": more})...)
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = w.Write(append(b, '}'))
}

// appendRow renders a record as COQL does: the id, and the columns asked.
func (v *contactView) appendRow(b []byte, o *zohoOrg, r record, columns []coqlColumn) []byte {
	v.look(o, r)
	b = append(b, `{"id":`...)
	b = appendID(b, o.recordID(r.id))
	for _, c := range columns {
		if c.field == nil {
			continue
		}
		v.read(c.field)
		if v.form == formMissing {
			continue
		}
		b = appendKey(b, c.name)
		switch {
		case c.named && v.form == formNull:
			b = append(b, "null"...)
		case c.named:
			b = appendString(b, v.name)
		case v.put != nil && v.form != formLookup:
			b = append(b, v.put[c.field.name]...)
		default:
			b = v.appendCOQL(b)
		}
	}
	return append(b, '}')
}

// coqlTokens splits a query: names, numbers, quoted values with their quotes,
// and marks.
func coqlTokens(text string) []string {
	var tokens []string
	for len(text) > 0 {
		n := 1
		switch c := text[0]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			text = text[1:]
			continue
		case c == '\'':
			n = coqlQuoted(text)
		case strings.HasPrefix(text, ">="), strings.HasPrefix(text, "<="), strings.HasPrefix(text, "!="):
			n = 2
		case coqlWordByte(c):
			for n < len(text) && coqlWordByte(text[n]) {
				n++
			}
		}
		tokens = append(tokens, text[:n])
		text = text[n:]
	}
	return tokens
}

// coqlQuoted is the length of the quoted value that text begins with.
func coqlQuoted(text string) int {
	for n := 1; n < len(text); n++ {
		switch text[n] {
		case '\\':
			n++
		case '\'':
			return n + 1
		}
	}
	return len(text)
}

func coqlWordByte(c byte) bool {
	return c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// parseCOQL understands a query.
func parseCOQL(text string, s zohoSession) (coqlQuery, *zohoRefusal) {
	p := coqlParser{tokens: coqlTokens(text), session: s}
	p.query.limit = coqlDefaultRows
	for _, clause := range []func() *zohoRefusal{p.selectClause, p.fromClause, p.whereClause, p.orderClause, p.limitClause} {
		if refused := clause(); refused != nil {
			return coqlQuery{}, refused
		}
	}
	if p.at < len(p.tokens) {
		return coqlQuery{}, syntaxNear(p.next())
	}
	q := p.query
	q.keep = func(r record) bool {
		return !slices.ContainsFunc(p.conditions, func(holds func(record) bool) bool { return !holds(r) })
	}
	if q.order == byID {
		q.startAt(p.above, p.below)
	}
	return q, nil
}

// startAt begins a walk in order of ids where its conditions do.
func (q *coqlQuery) startAt(above, below int64) {
	switch {
	case !q.desc && above > 0:
		q.after = &key{0, above}
	case q.desc && below > 0:
		q.after = &key{0, below}
	}
}

func syntaxNear(token string) *zohoRefusal {
	refused := refuse(http.StatusBadRequest, "SYNTAX_ERROR", "invalid query formed", map[string]any{"line": 1, "column": 1, "near": token})
	return &refused
}

func missingClause(name string) *zohoRefusal {
	refused := refuse(http.StatusBadRequest, "SYNTAX_ERROR", "missing clause", map[string]any{"clause": name})
	return &refused
}

func invalidCOQL(message string, details map[string]any) *zohoRefusal {
	refused := refuse(http.StatusBadRequest, "INVALID_QUERY", message, details)
	return &refused
}

func coqlLimit(clause string, limit int) *zohoRefusal {
	refused := refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "limit exceeded", map[string]any{"clause": clause, "limit": limit})
	return &refused
}
