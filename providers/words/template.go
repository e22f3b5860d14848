package words

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// renderer fills templates with one set of values in one language.
type renderer struct {
	lang Lang
	args Args
}

func newRenderer(lang Lang, args Args) renderer {
	if lang != Es {
		lang = En
	}
	return renderer{lang: lang, args: args}
}

// hole marks a missing value inside a piece until it is cut out. Values never
// hold it: plain drops control characters.
const hole = "\x00"

// holeAround is a missing value with what would dangle without it: quotes
// around it and the prepositions and articles before it.
var holeAround = regexp.MustCompile(`(?i)(?:(?:^|\s+)(?:on|at|to|for|by|in|of|from|el|la|en|de|desde|por|para|con|a))*\s*["(]?\x00[")]?`)

// piece fills a title, label or button, which must stay whole: a missing value
// is cut out together with what would dangle without it.
func (r renderer) piece(template string) string {
	out, _ := r.expand(template, true)
	if strings.Contains(out, hole) {
		out = holeAround.ReplaceAllString(out, "")
	}
	out = strings.TrimRight(strings.TrimSpace(out), " :,;")
	if r.startsMissing(template) {
		out = capital(out)
	}
	return out
}

// prose fills sentences. A sentence that lacks a required value loses the
// smallest part that can go: a part after a comma, a clause between
// semicolons, or all of it.
func (r renderer) prose(template string) string {
	var kept []string
	for _, sentence := range split(template, endsSentence) {
		if out, ok := r.sentence(sentence); ok {
			kept = append(kept, out)
		}
	}
	return strings.Join(kept, " ")
}

func (r renderer) sentence(template string) (string, bool) {
	body := strings.TrimRight(template, ".?")
	end := template[len(body):]

	var kept []string
	fresh := r.startsMissing(template) // the first word is not the template's own
	for i, clause := range split(body, func(before, _ string) bool { return strings.HasSuffix(before, ";") }) {
		out, ok := r.clause(strings.TrimSuffix(clause, ";"))
		switch {
		case ok:
			kept = append(kept, out)
		case i == 0:
			fresh = true
		}
	}
	if len(kept) == 0 {
		return "", false
	}

	out := strings.Join(kept, "; ")
	if fresh {
		out = capital(out)
	}
	if endsWithSentence(body) {
		end = "."
	}
	if end == "." && endsClosed(out) { // "Acme Inc." needs no second full stop
		end = ""
	}
	return out + end, true
}

// endsWithSentence reports whether a template ends in a value that is a
// sentence, or is shown as one.
func endsWithSentence(template string) bool {
	return strings.HasSuffix(template, "{what}") || strings.HasSuffix(template, "{title}")
}

func (r renderer) clause(template string) (string, bool) {
	var kept []string
	for i, part := range split(template, func(before, _ string) bool { return strings.HasSuffix(before, ",") }) {
		out, ok := r.expand(strings.TrimSuffix(part, ","), false)
		if ok {
			kept = append(kept, out)
			continue
		}
		leads := strings.HasPrefix(part, "{") && !strings.HasSuffix(part, "}") // "…, {name} gets it twice"
		if i == 0 || leads {
			return "", false
		}
	}
	return strings.Join(kept, ", "), true
}

// endsSentence reports whether a space between the two is between sentences: a
// full stop came before, or a value that is a sentence of its own.
func endsSentence(before, after string) bool {
	switch before[len(before)-1] {
	case '.', '?':
		return true
	case '"':
		first, _ := utf8.DecodeRuneInString(after)
		return first == '{' || unicode.IsUpper(first)
	}
	return endsWithSentence(before)
}

// split cuts a template at the spaces that end a part, never inside braces or brackets.
func split(template string, ends func(before, after string) bool) []string {
	var parts []string
	depth, start := 0, 0
	for i, c := range template {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ' ':
			if depth == 0 && i > start && ends(template[start:i], template[i+1:]) {
				parts = append(parts, template[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, template[start:])
}

// expand replaces placeholders and optional clauses in one pass, so that a
// value is never read as a template. A missing value without a noun to stand
// for it makes a hole if holes are allowed; else the result is not ok.
func (r renderer) expand(template string, holes bool) (string, bool) {
	var out strings.Builder
	for template != "" {
		open := strings.IndexAny(template, "{[")
		if open < 0 {
			out.WriteString(template)
			break
		}
		out.WriteString(template[:open])
		closing := "}"
		if template[open] == '[' {
			closing = "]"
		}
		inner, rest, _ := strings.Cut(template[open+1:], closing)
		template = rest

		if closing == "]" {
			if clause, ok := r.optional(inner); ok {
				out.WriteString(clause)
			}
			continue
		}
		value, ok := r.fill(inner, out.String())
		switch {
		case ok:
			out.WriteString(value)
		case r.noun(inner) != "":
			text := r.withNoun(out.String(), r.noun(inner))
			out.Reset()
			out.WriteString(text)
		case holes:
			out.WriteString(r.holeOf(inner))
		default:
			return "", false
		}
	}
	return out.String(), true
}

// optional fills a clause in square brackets. No noun stands for a value
// there: the clause goes instead. The one clause without a value says that the
// counts match.
func (r renderer) optional(clause string) (string, bool) {
	if !strings.Contains(clause, "{") {
		return clause, r.args.CountsMatch
	}
	var out strings.Builder
	for clause != "" {
		before, rest, found := strings.Cut(clause, "{")
		out.WriteString(before)
		if !found {
			break
		}
		inner, after, _ := strings.Cut(rest, "}")
		value, ok := r.fill(inner, out.String())
		if !ok {
			return "", false
		}
		out.WriteString(value)
		clause = after
	}
	return out.String(), true
}

// fill gives a placeholder's value as it stands after the text before it.
func (r renderer) fill(placeholder, before string) (string, bool) {
	name, forms, counted := strings.Cut(placeholder, ":")
	value, ok := r.value(name)
	if !ok {
		return "", false
	}
	switch {
	case counted:
		one, other, _ := strings.Cut(forms, "/")
		if *r.args.N == 1 && !r.args.More {
			return value + " " + one, true
		}
		return value + " " + other, true
	case name == "detail" && !strings.HasSuffix(before, `"`):
		return `"` + value + `"`, true // others' words are always in quotes
	}
	return value, true
}

// holeOf stands for a missing value in a piece: a counted noun stays, without
// its number.
func (r renderer) holeOf(placeholder string) string {
	if _, forms, counted := strings.Cut(placeholder, ":"); counted {
		_, other, _ := strings.Cut(forms, "/")
		return other
	}
	return hole
}

// startsMissing reports whether the first word will not be the template's own
// nor a value.
func (r renderer) startsMissing(template string) bool {
	inner, ok := strings.CutPrefix(template, "{")
	if !ok {
		return false
	}
	name, _, _ := strings.Cut(inner, "}")
	name, _, _ = strings.Cut(name, ":")
	_, known := r.value(name)
	return !known
}

// noun stands for a thing whose name is not known.
func (r renderer) noun(placeholder string) string {
	nouns := map[string]pair{
		"provider": {"the provider", "el proveedor"},
		"account":  {"this account", "esta cuenta"},
		"to":       {"this number", "este número"},
		"field":    {"the field", "el campo"},
		"tenant":   {"your company", "tu empresa"},
	}
	return nouns[placeholder].in(r.lang)
}

// withNoun appends a noun so that its article fits the word before: "de el" is
// "del", and "your the" is "your".
func (r renderer) withNoun(before, noun string) string {
	words := strings.Fields(before)
	last := ""
	if len(words) > 0 && strings.HasSuffix(before, " ") {
		last = strings.ToLower(words[len(words)-1])
	}
	switch {
	case r.lang == Es && (last == "de" || last == "a") && strings.HasPrefix(noun, "el "):
		return strings.TrimSuffix(before, " ") + strings.TrimPrefix(noun, "e")
	case r.lang == En && (last == "the" || last == "a" || last == "your"):
		return before + strings.TrimPrefix(noun, "the ")
	}
	return before + noun
}

func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// endsClosed reports whether a text has its own end.
func endsClosed(s string) bool {
	return strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "…")
}
