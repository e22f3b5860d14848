package sandbox

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// coqlParser goes along the tokens of a query.
type coqlParser struct {
	tokens     []string
	at         int
	session    zohoSession
	query      coqlQuery
	conditions []func(record) bool
	// Ids lie above and below these, where they are not 0.
	above, below int64
}

// next takes a token; "" after the last.
func (p *coqlParser) next() string {
	if p.at >= len(p.tokens) {
		return ""
	}
	p.at++
	return p.tokens[p.at-1]
}

// take takes a token if it is this word.
func (p *coqlParser) take(word string) bool {
	if p.at < len(p.tokens) && strings.EqualFold(p.tokens[p.at], word) {
		p.at++
		return true
	}
	return false
}

// askedRows is the limit of a query that was not parsed yet.
func (p *coqlParser) askedRows() int {
	at := slices.IndexFunc(p.tokens, func(token string) bool { return strings.EqualFold(token, "limit") })
	if at < 0 {
		return coqlDefaultRows
	}
	p.at = at
	_ = p.limitClause() // what is wrong with it is refused when the query is parsed
	return p.query.limit
}

func (p *coqlParser) selectClause() *zohoRefusal {
	if !p.take("select") {
		return missingClause("select")
	}
	for {
		column, refused := p.column(p.next())
		if refused != nil {
			return refused
		}
		p.query.columns = append(p.query.columns, column)
		if !p.take(",") {
			break
		}
	}
	if len(p.query.columns) > mostFields {
		return coqlLimit("select", mostFields)
	}
	return nil
}

// column finds what a name stands for.
func (p *coqlParser) column(name string) (coqlColumn, *zohoRefusal) {
	if name == "id" {
		return coqlColumn{name: name}, nil
	}
	base, joined, dotted := strings.Cut(name, ".")
	field := p.session.settings.field(base)
	if field == nil || dotted && (field.dataType != "lookup" || joined != base) {
		return coqlColumn{}, invalidCOQL("column given seems to be invalid", map[string]any{"column_name": name})
	}
	return coqlColumn{name: name, field: field, named: dotted}, nil
}

func (p *coqlParser) fromClause() *zohoRefusal {
	if !p.take("from") {
		return missingClause("from")
	}
	if module := p.next(); module != contactsModule {
		return invalidCOQL("invalid query formed", map[string]any{"module": module})
	}
	return nil
}

// whereClause is mandatory, as people find who then write "id is not null". [seen]
func (p *coqlParser) whereClause() *zohoRefusal {
	if !p.take("where") {
		return missingClause("where")
	}
	refused := p.pair()
	if refused == nil && len(p.conditions) > coqlMostConditions {
		return coqlLimit("where", coqlMostConditions)
	}
	return refused
}

// pair is a condition, or two that hold both: more need brackets. [doc: COQL
// limitations]
func (p *coqlParser) pair() *zohoRefusal {
	if refused := p.operand(); refused != nil || !p.take("and") {
		return refused
	}
	return p.operand()
}

func (p *coqlParser) operand() *zohoRefusal {
	if !p.take("(") {
		return p.condition()
	}
	if refused := p.pair(); refused != nil {
		return refused
	}
	if !p.take(")") {
		return syntaxNear(p.next())
	}
	return nil
}

func (p *coqlParser) condition() *zohoRefusal {
	name := p.next()
	if _, refused := p.column(name); refused != nil {
		return refused
	}
	operator := strings.ToLower(p.next())
	switch {
	case operator == "is":
		return p.nullCondition(name)
	case name == "id" && (operator == "in" || operator == "="):
		return p.idsCondition(operator)
	case name == "id":
		return p.idCondition(operator)
	case name == "Modified_Time" || name == "Created_Time":
		return p.timeCondition(name, operator)
	}
	return invalidCOQL("data type not supported", map[string]any{"column_name": name, "operator": operator, "reason": "the sandbox compares ids and times"})
}

// nullCondition is "is not null", and "is null" for times.
func (p *coqlParser) nullCondition(name string) *zohoRefusal {
	negated := p.take("not")
	if !p.take("null") {
		return syntaxNear(p.next())
	}
	if name != "id" && zohoOrders[name] == byID {
		return invalidCOQL("data type not supported", map[string]any{"column_name": name, "operator": "is", "reason": "the sandbox compares ids and times"})
	}
	p.conditions = append(p.conditions, func(r record) bool {
		return (r.key(zohoOrders[name]).time == noTime) != negated
	})
	return nil
}

func (p *coqlParser) id() (int64, *zohoRefusal) {
	token := p.next()
	id, err := parseID(strings.Trim(token, "'"))
	if err != nil {
		return 0, invalidCOQL("value given seems to be invalid for the column", map[string]any{"column_name": "id", "expected_data_type": "bigint"})
	}
	return id, nil
}

func (p *coqlParser) idsCondition(operator string) *zohoRefusal {
	bracketed := operator == "in"
	if bracketed && !p.take("(") {
		return syntaxNear(p.next())
	}
	ids := []int64{}
	for count := 0; ; count++ {
		id, refused := p.id()
		switch {
		case refused != nil:
			return refused
		case count == coqlMostValues:
			return coqlLimit("where", coqlMostValues)
		}
		if n := p.session.org.recordNumber(id); n != 0 {
			ids = append(ids, n)
		}
		if !bracketed || !p.take(",") {
			break
		}
	}
	if bracketed && !p.take(")") {
		return syntaxNear(p.next())
	}
	p.query.ids = ids
	p.conditions = append(p.conditions, func(r record) bool { return slices.Contains(ids, r.id) })
	return nil
}

// idCondition compares ids, also with one that is no contact's.
func (p *coqlParser) idCondition(operator string) *zohoRefusal {
	id, refused := p.id()
	if refused != nil {
		return refused
	}
	bound := id - p.session.org.recordID(0)
	holds, known := coqlComparison(operator, func(r record) int64 { return r.id }, bound)
	if !known {
		return syntaxNear(operator)
	}
	switch operator {
	case ">":
		p.above = max(p.above, bound)
	case ">=":
		p.above = max(p.above, bound-1)
	case "<":
		p.below = max(1, coqlLower(p.below, bound))
	case "<=":
		p.below = max(1, coqlLower(p.below, bound+1))
	}
	p.conditions = append(p.conditions, holds)
	return nil
}

// coqlLower is the lower of a bound so far, 0 for none, and another.
func coqlLower(bound, other int64) int64 {
	if bound == 0 {
		return other
	}
	return min(bound, other)
}

func (p *coqlParser) timeCondition(name, operator string) *zohoRefusal {
	at, err := time.Parse(time.RFC3339, strings.Trim(p.next(), "'"))
	if err != nil {
		return invalidCOQL("value given seems to be invalid for the column", map[string]any{"column_name": name, "expected_data_type": "datetime"})
	}
	order := zohoOrders[name]
	holds, known := coqlComparison(operator, func(r record) int64 { return r.key(order).time }, at.Unix())
	if !known {
		return syntaxNear(operator)
	}
	if seconds := at.Unix(); order == byUpdated && strings.HasPrefix(operator, ">") && (p.query.since == nil || *p.query.since < seconds) {
		p.query.since = &seconds // where the walk may begin
	}
	p.conditions = append(p.conditions, func(r record) bool { return r.key(order).time != noTime && holds(r) })
	return nil
}

func coqlComparison(operator string, of func(record) int64, bound int64) (holds func(record) bool, known bool) {
	switch operator {
	case ">":
		return func(r record) bool { return of(r) > bound }, true
	case ">=":
		return func(r record) bool { return of(r) >= bound }, true
	case "<":
		return func(r record) bool { return of(r) < bound }, true
	case "<=":
		return func(r record) bool { return of(r) <= bound }, true
	case "=":
		return func(r record) bool { return of(r) == bound }, true
	case "!=":
		return func(r record) bool { return of(r) != bound }, true
	}
	return nil, false
}

func (p *coqlParser) orderClause() *zohoRefusal {
	if !p.take("order") {
		return nil
	}
	if !p.take("by") {
		return syntaxNear(p.next())
	}
	name := p.next()
	order, ok := zohoOrders[name]
	if !ok {
		return invalidCOQL("column given seems to be invalid", map[string]any{"column_name": name})
	}
	p.query.order = order
	if !p.take("asc") {
		p.query.desc = p.take("desc")
	}
	return nil
}

// limitClause is "limit n", "limit n offset m" or "limit m, n".
func (p *coqlParser) limitClause() *zohoRefusal {
	if !p.take("limit") {
		return nil
	}
	limit, refused := p.count()
	if refused != nil {
		return refused
	}
	p.query.limit = limit
	switch {
	case p.take(","):
		p.query.skip = limit
		p.query.limit, refused = p.count()
	case p.take("offset"):
		p.query.skip, refused = p.count()
	}
	switch reach := p.session.settings.ListLimit; {
	case refused != nil:
		return refused
	case p.query.limit > coqlMostRows:
		return coqlLimit("limit", coqlMostRows)
	case p.query.skip > 0 && p.query.skip+p.query.limit > reach:
		return coqlLimit("offset", reach)
	}
	return nil
}

func (p *coqlParser) count() (int, *zohoRefusal) {
	token := p.next()
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, syntaxNear(token)
	}
	return n, nil
}
