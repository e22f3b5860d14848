package words

// Text is what a person reads, ready to be shown.
type Text struct {
	Title    string   `json:"title,omitempty"`
	Sentence string   `json:"sentence,omitempty"`
	Buttons  []string `json:"buttons,omitempty"`
	// Operators is what an operator runs, in Markdown. Not for tenants.
	Operators string `json:"operators,omitempty"`
}

// Render gives the words of a code. The variant picks a more exact sentence,
// empty for none. An unknown code or variant is our own fault and reads as
// [Internal]. Sentence is never empty: where nothing of it can be said, it
// repeats the title.
func Render(lang Lang, code Code, variant string, args Args) Text {
	if !Known(code, variant) {
		code, variant = Internal, ""
	}
	text := wordingOf(lang, code, variant).text(lang, args)
	if text.Sentence == "" {
		text.Sentence = text.Title
	}
	return text
}

// wordingOf merges a variant's line over its code's. A variant without a line
// has its code's.
func wordingOf(lang Lang, code Code, variant string) wording {
	var w wording
	for _, row := range codeTexts {
		if row.code == code && (row.variant == "" || row.variant == variant) {
			w = w.replacedBy(row.in(lang))
		}
	}
	return w
}

func (c codeWords) in(lang Lang) wording {
	if lang == Es {
		return c.es
	}
	return c.en
}

// wording is a text in one language, as templates. Buttons are nil where a
// variant keeps its code's, empty where there is none.
type wording struct {
	title     string
	sentence  string
	buttons   []string
	operators string
}

// none says that a text has no button, where nil would keep the code's.
func none() []string { return []string{} }

func (w wording) replacedBy(v wording) wording {
	if v.title != "" {
		w.title = v.title
	}
	if v.sentence != "" {
		w.sentence = v.sentence
	}
	if v.buttons != nil {
		w.buttons = v.buttons
	}
	w.operators = v.operators
	return w
}

func (w wording) text(lang Lang, args Args) Text {
	r := newRenderer(lang, args)
	text := Text{Title: r.piece(w.title), Sentence: r.prose(w.sentence), Operators: w.operators}
	for _, button := range w.buttons {
		text.Buttons = append(text.Buttons, r.piece(button))
	}
	return text
}

func (w wording) prose(lang Lang, args Args) string {
	return newRenderer(lang, args).prose(w.sentence)
}

// line is a text found by a key. Page is the name of its row in the docs where
// that is not the key.
type line struct {
	key    string
	page   string
	code   Code
	en, es wording
}

func (l line) in(lang Lang) wording {
	if lang == Es {
		return l.es
	}
	return l.en
}

func find(lines []line, key string) (line, bool) {
	for _, l := range lines {
		if l.key == key {
			return l, true
		}
	}
	return line{}, false
}
