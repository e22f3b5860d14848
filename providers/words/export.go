package words

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// The JSON form of the table. Names and order are part of the dashboard's
// build: the same table gives the same bytes.
type (
	exported struct {
		Codes         []exportedCode  `json:"codes"`
		Connection    []exportedState `json:"connection"`
		Run           []exportedState `json:"run"`
		MissedTicks   exportedPair    `json:"missed_ticks"`
		Message       []exportedState `json:"message"`
		Call          []exportedState `json:"call"`
		Waiting       []exportedLine  `json:"waiting"`
		Held          []exportedLine  `json:"held"`
		Skipped       []exportedLine  `json:"skipped"`
		Landing       []exportedLine  `json:"landing"`
		Screens       []exportedLine  `json:"screens"`
		Confirmations []exportedLine  `json:"confirmations"`
		Incident      []exportedLine  `json:"incident"`
		Phrases       []exportedLine  `json:"phrases"`
		Common        []exportedLine  `json:"common"`
	}
	exportedCode struct {
		Code          Code              `json:"code"`
		Who           Actor             `json:"who"`
		Severity      Severity          `json:"severity"`
		HTTP          int               `json:"http,omitempty"`
		OtherHTTP     []int             `json:"other_http,omitempty"`
		Incident      bool              `json:"incident"`
		IncidentAfter int               `json:"incident_after,omitempty"`
		LowUrgency    bool              `json:"low_urgency,omitempty"`
		ToOperators   bool              `json:"to_operators,omitempty"`
		Condition     string            `json:"condition"`
		WhoActs       string            `json:"who_acts"`
		Retry         string            `json:"retry"`
		En            Text              `json:"en"`
		Es            Text              `json:"es"`
		Variants      []exportedVariant `json:"variants,omitempty"`
	}
	exportedVariant struct {
		Variant  string   `json:"variant"`
		Who      Actor    `json:"who"`
		Severity Severity `json:"severity"`
		HTTP     int      `json:"http,omitempty"`
		En       Text     `json:"en"`
		Es       Text     `json:"es"`
	}
	exportedState struct {
		Key         string        `json:"key"`
		Tone        Tone          `json:"tone,omitempty"`
		Tick        string        `json:"tick,omitempty"`
		Label       exportedPair  `json:"label"`
		Tooltip     *exportedPair `json:"tooltip,omitempty"`
		TooltipFrom tooltipSource `json:"tooltip_from,omitempty"`
	}
	exportedPair struct {
		En string `json:"en"`
		Es string `json:"es"`
	}
	exportedLine struct {
		Key  string `json:"key"`
		Code Code   `json:"code,omitempty"`
		En   Text   `json:"en"`
		Es   Text   `json:"es"`
	}
)

// Export writes the whole table as JSON, templates unfilled: the dashboard's
// copy. Variants are complete, so that a reader merges nothing. The bytes are
// the same for the same table.
func Export() ([]byte, error) {
	out := exported{
		Connection: exportStates(connectionStates), Run: exportStates(runStates), MissedTicks: exportPair(missedNote),
		Message: exportStates(messageStates), Call: exportStates(callStates),
		Waiting: exportLines(waitingLines), Held: exportLines(heldLines), Skipped: exportLines(skippedLines),
		Landing: exportLines(landingLines), Screens: exportLines(screenLines), Confirmations: exportLines(confirmationLines),
		Incident: exportLines(incidentLines), Phrases: exportLines(phraseLines), Common: exportLines(commonLines),
	}
	for _, f := range facts {
		out.Codes = append(out.Codes, exportCode(f))
	}

	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return nil, fmt.Errorf("encode the table of words: %w", err)
	}
	return buf.Bytes(), nil
}

func exportCode(f Facts) exportedCode {
	out := exportedCode{
		Code: f.Code, Who: f.Who, Severity: f.Severity, HTTP: f.HTTP, OtherHTTP: f.OtherHTTP,
		Incident: f.Incident, IncidentAfter: f.IncidentAfter, LowUrgency: f.LowUrgency, ToOperators: f.ToOperators,
		Condition: f.Condition, WhoActs: f.WhoActs, Retry: f.Retry,
		En: wordingOf(En, f.Code, "").template(), Es: wordingOf(Es, f.Code, "").template(),
	}
	for _, v := range f.Variants {
		vf := FactsOf(f.Code, v.Name)
		out.Variants = append(out.Variants, exportedVariant{
			Variant: v.Name, Who: vf.Who, Severity: vf.Severity, HTTP: vf.HTTP,
			En: wordingOf(En, f.Code, v.Name).template(), Es: wordingOf(Es, f.Code, v.Name).template(),
		})
	}
	return out
}

func (w wording) template() Text {
	return Text{Title: w.title, Sentence: w.sentence, Buttons: w.buttons, Operators: w.operators}
}

func exportPair(p pair) exportedPair {
	return exportedPair{En: p.in(En), Es: p.in(Es)}
}

func exportStates(rows []stateRow) []exportedState {
	var out []exportedState
	for _, row := range rows {
		s := exportedState{Key: row.key, Tone: row.tone, Tick: row.tick, Label: exportPair(row.label), TooltipFrom: row.tooltipOf}
		if row.tooltipOf == "" {
			s.Tooltip = new(exportPair(row.tooltip))
		}
		out = append(out, s)
	}
	return out
}

func exportLines(lines []line) []exportedLine {
	var out []exportedLine
	for _, l := range lines {
		out = append(out, exportedLine{Key: l.key, Code: l.code, En: l.en.template(), Es: l.es.template()})
	}
	return out
}
