package dashboard

import (
	"encoding/json"
	"fmt"

	"example.com/enlace/providers/words"
)

// exported is the part of [words.Export] that the page shows; what it leaves out is about messages, calls and mail, or for
// whoever writes code.
type exported struct {
	Codes         []exportedCode  `json:"codes"`
	Connection    []exportedState `json:"connection"`
	Run           []exportedState `json:"run"`
	Waiting       []exportedLine  `json:"waiting"`
	Landing       []exportedLine  `json:"landing"`
	Screens       []exportedLine  `json:"screens"`
	Confirmations []exportedLine  `json:"confirmations"`
	Common        []exportedLine  `json:"common"`
}

type exportedCode struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	both[text]

	Variants []struct {
		Variant string `json:"variant"`
		both[text]
	} `json:"variants"`
}

type exportedState struct {
	Key     string       `json:"key"`
	Tone    string       `json:"tone"`
	Label   both[string] `json:"label"`
	Tooltip both[string] `json:"tooltip"`
}

type exportedLine struct {
	Key  string `json:"key"`
	Code string `json:"code"`
	both[text]
}

// both is something in both languages.
type both[T any] struct {
	En T `json:"en"`
	Es T `json:"es"`
}

func (b both[T]) in(lang words.Lang) T {
	if lang == words.Es {
		return b.Es
	}
	return b.En
}

// text is a template with its parts.
type text struct {
	Title    string          `json:"title,omitempty"`
	Sentence string          `json:"sentence,omitempty"`
	Buttons  []string        `json:"buttons,omitempty"`
	Code     string          `json:"code,omitempty"`
	Severity string          `json:"severity,omitempty"`
	Variants map[string]text `json:"variants,omitempty"`
}

// state is a state in words.
type state struct {
	Tone    string `json:"tone"`
	Label   string `json:"label"`
	Tooltip string `json:"tooltip,omitempty"`
}

// wordsIn writes the words of one language, by section and key.
func wordsIn(lang words.Lang) ([]byte, error) {
	all, err := words.Export()
	if err != nil {
		return nil, err
	}
	var e exported
	if err := json.Unmarshal(all, &e); err != nil {
		return nil, fmt.Errorf("read the exported words: %w", err)
	}
	codes := make(map[string]text, len(e.Codes))
	for _, c := range e.Codes {
		t := c.in(lang)
		t.Severity = c.Severity
		for _, v := range c.Variants {
			if t.Variants == nil {
				t.Variants = make(map[string]text)
			}
			t.Variants[v.Variant] = v.in(lang)
		}
		codes[c.Code] = t
	}
	out, err := json.Marshal(map[string]any{
		"codes": codes, "connection": states(lang, e.Connection), "run": states(lang, e.Run), "waiting": lines(lang, e.Waiting),
		"landing": lines(lang, e.Landing), "screens": lines(lang, e.Screens), "confirmations": lines(lang, e.Confirmations), "common": lines(lang, e.Common),
	})
	if err != nil {
		return nil, fmt.Errorf("write the words: %w", err)
	}
	return out, nil
}

func states(lang words.Lang, rows []exportedState) map[string]state {
	out := make(map[string]state, len(rows))
	for _, r := range rows {
		out[r.Key] = state{r.Tone, r.Label.in(lang), r.Tooltip.in(lang)}
	}
	return out
}

func lines(lang words.Lang, rows []exportedLine) map[string]text {
	out := make(map[string]text, len(rows))
	for _, r := range rows {
		t := r.in(lang)
		t.Code = r.Code
		out[r.Key] = t
	}
	return out
}
