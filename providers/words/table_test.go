package words

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// entry is one text of the table in both languages, wherever it stands.
type entry struct {
	name   string
	en, es wording
}

// everyEntry lists the whole table.
func everyEntry() []entry {
	var all []entry
	for _, c := range codeTexts {
		all = append(all, entry{string(c.code) + " " + c.variant, c.en, c.es})
	}
	for _, rows := range [][]stateRow{connectionStates, runStates, messageStates, callStates} {
		for _, s := range rows {
			all = append(all, entry{"state " + s.key, wording{title: s.label[0], sentence: s.tooltip[0]}, wording{title: s.label[1], sentence: s.tooltip[1]}})
		}
	}
	for _, lines := range [][]line{waitingLines, heldLines, skippedLines, landingLines, screenLines, confirmationLines, incidentLines, phraseLines, commonLines} {
		for _, l := range lines {
			all = append(all, entry{l.key, l.en, l.es})
		}
	}
	return append(all, entry{"missed ticks", wording{sentence: missedNote[0]}, wording{sentence: missedNote[1]}})
}

// typical has every value, at the length that values usually have.
func typical() Args {
	now := time.Date(2026, 11, 25, 14, 0, 0, 0, time.UTC)
	return Args{
		Now: now, Zone: time.UTC,
		Provider: "Pipedrive", Account: "Nordlicht GmbH", Name: "Ana Ruiz", To: "+52 55 1234 5678", Field: "to",
		Limit: "60", What: "Falta.", Detail: "Payment method is not valid", Schedule: "@every 15m", State: "Sent", Title: "Reconnect Pipedrive",
		Tenant: "Nordlicht", Button: "Reconnect", Link: "https://crm.example.com", Hint: "set PIPEDRIVE_CLIENT_ID",
		N: Num(128), Count: Num(12480), Live: Num(12480), Total: Num(12480), Missing: Num(640), Exist: Num(3), Calls: Num(125), Rate: Num(410),
		Percent: new(20.0),
		At:      now.Add(20 * time.Minute), Until: now.Add(20 * time.Minute), Since: now.Add(-time.Hour), AsOf: now.Add(-5 * time.Minute),
		Ago: now.Add(-3 * time.Minute), Date: now.AddDate(0, 0, 9),
		Duration: 89 * time.Second, ETA: 3 * time.Minute,
		CountsMatch: true,
	}
}

func placeholders(w wording) []string {
	found := map[string]bool{}
	text := w.title + w.sentence + strings.Join(w.buttons, "")
	for _, m := range regexp.MustCompile(`\{(\w+)(:[^{}]*)?\}`).FindAllStringSubmatch(text, -1) {
		counted := ""
		if m[2] != "" {
			counted = " counted"
		}
		found[m[1]+counted] = true
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()

	require.Len(t, facts, 30)
	for _, f := range Codes() {
		for _, lang := range []Lang{En, Es} {
			w := wordingOf(lang, f.Code, "")
			require.NotEmpty(t, w.title, f.Code)
			require.NotEmpty(t, w.sentence, f.Code)
			require.NotNil(t, w.buttons, "%s: a button or none, said", f.Code)
		}
	}
	for _, c := range codeTexts {
		require.True(t, Known(c.code, c.variant), "%s %s", c.code, c.variant)
	}
}

func TestPlaceholdersAreTheSameInBothLanguages(t *testing.T) {
	t.Parallel()

	for _, e := range everyEntry() {
		require.Equal(t, placeholders(e.en), placeholders(e.es), e.name)
		require.Len(t, e.es.buttons, len(e.en.buttons), e.name)
		require.Equal(t, strings.Count(e.en.sentence, "["), strings.Count(e.es.sentence, "["), "%s: optional clauses", e.name)
		require.Equal(t, e.en.title == "", e.es.title == "", e.name)
		require.Equal(t, e.en.sentence == "", e.es.sentence == "", e.name)
	}
}

func TestEveryPlaceholderHasAValue(t *testing.T) {
	t.Parallel()

	r := newRenderer(En, typical())
	for _, e := range everyEntry() {
		for _, name := range placeholders(e.en) {
			_, ok := r.value(strings.TrimSuffix(name, " counted"))
			require.True(t, ok, "%s: {%s}", e.name, name)
		}
	}
}

func TestVoice(t *testing.T) {
	t.Parallel()

	never := regexp.MustCompile(`(?i)[!¡]|\bplease\b|\boops\b|\bsorry\b|\bpor favor\b|\blo sentimos\b|\bvendor\b|\bthe API\b`)
	formal := regexp.MustCompile(`(?i)(^|[^\p{L}])(usted|ustedes|vos|tenés|podés|querés|sabés|hacé|mirá|revisá|elegí|reconectá|empezá|probá|debés|sus cuentas|su cuenta|haga|revise|elija|reconecte|empiece|verifique|espere|pida|intente|habilite|corrija)([^\p{L}]|$)`)
	onlyError := regexp.MustCompile(`(?i)^(an? |un )?error\.?$`)
	for _, e := range everyEntry() {
		for _, w := range []wording{e.en, e.es} {
			for _, text := range append([]string{w.title, w.sentence}, w.buttons...) {
				require.NotRegexp(t, never, text, e.name)
				require.NotRegexp(t, onlyError, text, e.name)
				require.NotRegexp(t, `says: \{detail\}|dice: \{detail\}`, text, "%s: a provider's words are in quotes", e.name)
			}
		}
		spanish := strings.Join(append([]string{e.es.title, e.es.sentence}, e.es.buttons...), " ")
		require.NotRegexp(t, formal, spanish, e.name)
	}
}

func TestLengths(t *testing.T) {
	t.Parallel()

	for _, e := range everyEntry() {
		for lang, w := range map[Lang]wording{En: e.en, Es: e.es} {
			text := w.text(lang, typical())
			require.LessOrEqual(t, utf8.RuneCountInString(text.Title), 60, "%s: %s", e.name, text.Title)
			if lang == Es && e.name != AskDisconnect { // a dialog, not a card: 184 on the page too
				require.LessOrEqual(t, utf8.RuneCountInString(text.Sentence), 180, "%s: %s", e.name, text.Sentence)
			}
		}
	}
}

func TestExportIsTheWholeTableAndAlwaysTheSame(t *testing.T) {
	t.Parallel()

	first, err := Export()
	require.NoError(t, err)
	second, err := Export()
	require.NoError(t, err)
	require.Equal(t, string(first), string(second))

	var table exported
	require.NoError(t, json.Unmarshal(first, &table))
	require.Len(t, table.Codes, 30)
	require.Equal(t, "Try now", table.Codes[0].En.Buttons[0])
	require.Equal(t, "Límite diario de {provider} agotado", table.Codes[2].Es.Title)
	require.Equal(t, "Setup on our side needs attention", table.Codes[4].Variants[2].En.Title, "a variant is complete")
	require.Contains(t, string(first), "(> 50 and > 20 %", "signs are not escaped")
	for _, e := range everyEntry() {
		for _, text := range []string{e.en.title, e.en.sentence, e.es.title, e.es.sentence} {
			quoted, err := json.Marshal(text)
			require.NoError(t, err)
			require.Contains(t, string(first), string(quoted), e.name)
		}
	}
}
