package words

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// page is where the words are agreed on; the table has to say the same.
const page = "../../../shared/WORDS.md"

// readPage gives the lines of the page by the number of their section.
func readPage(t *testing.T) map[string][]string {
	t.Helper()

	text, err := os.ReadFile(page)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here: the table is not compared with it", page)
	}
	require.NoError(t, err)

	heading := regexp.MustCompile(`^## (\d+)\. `)
	sections, current := map[string][]string{}, ""
	for l := range strings.SplitSeq(string(text), "\n") {
		if m := heading.FindStringSubmatch(l); m != nil {
			current = m[1]
		}
		sections[current] = append(sections[current], l)
	}
	return sections
}

// tables gives the cells of the Markdown tables among the lines, without their
// heads.
func tables(lines []string) [][][]string {
	var all [][][]string
	inside := false
	for _, l := range lines {
		if !strings.HasPrefix(l, "|") {
			inside = false
			continue
		}
		if strings.Trim(l, "|- :") == "" {
			continue
		}
		if !inside { // the head
			inside = true
			all = append(all, nil)
			continue
		}
		cells := strings.Split(strings.Trim(l, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		all[len(all)-1] = append(all[len(all)-1], cells)
	}
	return all
}

// cell writes a text the way the page writes it.
func cell(w wording, note string) string {
	var parts []string
	if w.title != "" {
		parts = append(parts, "**"+w.title+"**")
	}
	if w.sentence != "" {
		parts = append(parts, w.sentence)
	}
	out := strings.Join(parts, " · ")
	if w.buttons != nil && len(w.buttons) == 0 {
		out += " · –"
	}
	for _, b := range w.buttons {
		out += " [" + b + "]"
	}
	if w.operators != "" {
		out += " (" + note + ": " + w.operators + ")"
	}
	return out
}

// spaced makes one form of the page's separators before buttons.
func spaced(pageCell string) string {
	return strings.ReplaceAll(pageCell, " · [", " [")
}

func TestPageFacts(t *testing.T) {
	t.Parallel()

	section := readPage(t)["1"]
	rows := tables(section)[0]
	require.Len(t, facts, 30, "the closed list has 30 codes")
	require.Len(t, rows, len(facts))

	status := regexp.MustCompile(`\b[1-5]\d\d\b`)
	for i, row := range rows {
		f := facts[i]
		require.Equal(t, "`"+string(f.Code)+"`", row[0])
		require.Equal(t, f.Condition, row[1], f.Code)
		require.Equal(t, f.WhoActs, row[2], f.Code)
		require.Regexp(t, "^"+string(f.Who)+`\b`, row[2], f.Code)
		require.Regexp(t, "^"+string(f.Severity)+`\b`, row[4], f.Code)
		require.Equal(t, f.Retry, row[5], f.Code)

		statuses := map[string]bool{}
		for _, s := range append(append([]int{}, f.OtherHTTP...), f.HTTP) {
			if s != 0 {
				statuses[fmt.Sprint(s)] = true
			}
		}
		severities := map[string]bool{string(f.Severity): true}
		for _, v := range f.Variants {
			require.Contains(t, row[1]+pageWordsOf(t, f.Code), "`"+v.Name+"`", "%s: a variant of the page", f.Code)
			vf := FactsOf(f.Code, v.Name)
			require.True(t, Known(f.Code, v.Name))
			if vf.HTTP != 0 {
				statuses[fmt.Sprint(vf.HTTP)] = true
			}
			severities[string(vf.Severity)] = true
		}
		want := map[string]bool{}
		for _, s := range status.FindAllString(row[3], -1) {
			want[s] = true
		}
		require.Equal(t, want, statuses, "%s: HTTP %s", f.Code, row[3])

		want = map[string]bool{}
		for _, s := range regexp.MustCompile(`\b(info|wait|act|fault)\b`).FindAllString(row[4], -1) {
			want[s] = true
		}
		require.Equal(t, want, severities, f.Code)

		require.Equal(t, row[6] != "no", f.Incident, f.Code)
		require.Equal(t, strings.Contains(row[6], "after 3"), f.IncidentAfter == 3, f.Code)
		require.Equal(t, strings.Contains(row[6], "low"), f.LowUrgency, f.Code)
		require.Equal(t, strings.Contains(row[6], "operators"), f.ToOperators, f.Code)
	}

	for _, l := range section { // `kind` → `code` · `kind` → same
		kinds, ok := strings.CutPrefix(l, "Kinds → code")
		if !ok {
			continue
		}
		_, kinds, _ = strings.Cut(kinds, ": ")
		pairs := regexp.MustCompile("`(\\w+)` → (same|`\\w+`)").FindAllStringSubmatch(kinds, -1)
		require.Len(t, pairs, 10)
		for _, p := range pairs {
			want := Code(strings.Trim(p[2], "`"))
			if p[2] == "same" {
				want = Code(p[1])
			}
			code, known := FromKind(p[1])
			require.True(t, known, p[1])
			require.Equal(t, want, code)
		}
	}
}

// pageWordsOf gives the first cells of a code's rows in §2, where its variants
// stand too.
func pageWordsOf(t *testing.T, code Code) string {
	t.Helper()

	var names []string
	inside := false
	for _, row := range tables(readPage(t)["2"])[0] {
		if !strings.HasPrefix(row[0], "↳") {
			inside = row[0] == "`"+string(code)+"`"
		}
		if inside {
			names = append(names, row[0])
		}
	}
	return strings.Join(names, " ")
}

func TestPageVariants(t *testing.T) {
	t.Parallel()

	variants := regexp.MustCompile("[Vv]ariants? ((?:`\\w+`(?:, )?)+)|(?:^|[.;] )`(\\w+)`:")
	for i, row := range tables(readPage(t)["1"])[0] {
		for _, m := range variants.FindAllStringSubmatch(row[1], -1) {
			for _, name := range regexp.MustCompile(`\w+`).FindAllString(m[1]+m[2], -1) {
				require.True(t, Known(facts[i].Code, name), "%s of %s", name, facts[i].Code)
			}
		}
	}
}

func TestPageCodeWords(t *testing.T) {
	t.Parallel()

	rows := tables(readPage(t)["2"])[0]
	require.Len(t, rows, len(codeTexts))
	for i, row := range rows {
		w := codeTexts[i]
		name := "`" + string(w.code) + "`"
		if w.variant != "" {
			name = "↳ `" + w.variant + "`"
		}
		require.Equal(t, row[0], name)
		require.Equal(t, spaced(row[1]), cell(w.en, "operators"))
		require.Equal(t, spaced(row[2]), cell(w.es, "operadores"))
	}
}

func TestPageStates(t *testing.T) {
	t.Parallel()

	section := readPage(t)["3"]
	all := tables(section)
	require.Len(t, all, 4)
	from := map[string]tooltipSource{
		"sentence of §4": fromWaiting, "frase de §4": fromWaiting,
		"sentence of the code": fromSentence, "frase del código": fromSentence,
		"title of the code": fromTitle, "título del código": fromTitle,
	}
	for i, states := range [][]stateRow{connectionStates, runStates, messageStates, callStates} {
		require.Len(t, all[i], len(states))
		for j, row := range all[i] {
			s := states[j]
			require.True(t, strings.HasPrefix(row[0], "`"+s.key+"`"), "%s: %s", row[0], s.key)
			if i < 3 {
				require.Equal(t, row[1], string(s.tone)+s.tick, s.key)
				row = row[1:]
			}
			require.Equal(t, row[1:3], s.label[:], s.key)
			for k, tooltip := range row[3:5] {
				require.Equal(t, from[tooltip], s.tooltipOf, s.key)
				if s.tooltipOf == "" {
					require.Equal(t, tooltip, s.tooltip[k], s.key)
				}
			}
		}
	}
	require.Contains(t, strings.Join(section, "\n"), `"`+missedNote[0]+`" / "`+missedNote[1]+`"`)
}

func TestPageLines(t *testing.T) {
	t.Parallel()

	sections := readPage(t)
	for number, lines := range map[string][]line{
		"4": waitingLines, "5": heldLines, "6": skippedLines, "7": landingLines,
		"8": screenLines, "9": confirmationLines, "10": incidentLines, "11": phraseLines,
	} {
		rows := tables(sections[number])[0]
		i := 0
		for _, row := range rows {
			if row[1] == "sentence of the code" { // §10, line 1: Render's
				continue
			}
			require.Less(t, i, len(lines), "§%s: %s", number, row[0])
			l := lines[i]
			i++
			if l.page != "" {
				require.Equal(t, row[0], l.page)
			} else {
				require.True(t, strings.HasPrefix(row[0]+" ", "`"+l.key+"` ") || row[0] == l.key, "§%s: %s is %s", number, row[0], l.key)
			}
			if number == "7" {
				require.Equal(t, strings.Trim(row[1], "`–"), string(l.code), l.key)
				row = row[1:]
			}
			require.Equal(t, strings.TrimSuffix(spaced(row[1]), " (skeleton, no spinner)"), cell(l.en, ""), l.key)
			require.Equal(t, spaced(row[2]), cell(l.es, ""), l.key)
		}
		if number == "4" {
			for _, ours := range []string{WaitExport, WaitProviderDown} { // beside the page's
				require.Equal(t, ours, lines[i].key)
				i++
			}
		}
		if number == "9" {
			require.Equal(t, []string{AskFullResyncPlain, AskChanges}, []string{lines[i].key, lines[i+1].key}, "ours beside the page's")
			i += 2
		}
		if number == "11" {
			require.Equal(t, []string{PhraseCleared, PhraseNoneHeld}, []string{lines[i].key, lines[i+1].key}, "ours beside the page's")
			i += 2
		}
		require.Len(t, lines, i, "§%s", number)
	}
}

func TestPageCommonWords(t *testing.T) {
	t.Parallel()

	var want []string
	for item := range strings.SplitSeq(strings.Join(readPage(t)["12"][1:], " "), "·") {
		en, es, found := strings.Cut(strings.Trim(item, " ."), " = ")
		require.True(t, found, item)
		for _, separator := range []string{" / ", ", "} {
			ens, ess := strings.Split(en, separator), strings.Split(es, separator)
			require.Len(t, ess, len(ens))
			if len(ens) == 1 && (separator == " / " && strings.Contains(en, ", ")) {
				continue
			}
			if len(ens) == 1 && separator == ", " && strings.Contains(en, " / ") {
				continue
			}
			for i := range ens {
				want = append(want, ens[i]+" = "+ess[i])
			}
			break
		}
	}
	var have []string
	for _, l := range commonLines {
		have = append(have, l.en.title+" = "+l.es.title)
	}
	require.Equal(t, want, have)
}
