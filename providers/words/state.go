package words

import (
	"strings"
	"time"
)

// Tone is a colour token of the dashboard.
type Tone string

// The tones. Each has its own dot shape, so that colour is never the only sign.
const (
	ToneOk   Tone = "ok"
	ToneInfo Tone = "info"
	ToneWait Tone = "wait"
	ToneAct  Tone = "act"
	ToneMute Tone = "mute"
)

// State is one state in words. Programs compare Key, never the words. Tick is
// a message's mark; connections and runs have a tone instead.
type State struct {
	Key     string `json:"key"`
	Tone    Tone   `json:"tone,omitempty"`
	Tick    string `json:"tick,omitempty"`
	Label   string `json:"label"`
	Tooltip string `json:"tooltip,omitempty"`
}

// Keys of a connection's state.
const (
	ConnectionConnected    = "connected"
	ConnectionRenewing     = "renewing"
	ConnectionNeedsReauth  = "needs_reauth"
	ConnectionPaused       = "paused"
	ConnectionDisconnected = "disconnected"
)

// ConnectionFacts are the columns of an integration that name its state.
type ConnectionFacts struct {
	Status            string    // integrations.status
	RefreshLeaseUntil time.Time // zero without a lease
	RefreshedAt       time.Time
	StatusSince       time.Time // when the status became what it is
	Schedule          string
}

// ConnectionState names the state of a connection. It takes Provider, Name
// (who paused it), Now and Zone from args. An unknown status reads as
// disconnected, the state that promises least.
func ConnectionState(lang Lang, f ConnectionFacts, args Args) State {
	key := f.Status
	if key == ConnectionConnected && f.RefreshLeaseUntil.After(args.Now) {
		key = ConnectionRenewing
	}
	args.Schedule, args.Ago = f.Schedule, f.RefreshedAt
	args.Since, args.Date = f.StatusSince, f.StatusSince
	return state(lang, connectionStates, key, ConnectionDisconnected, args)
}

// MessageFacts are the columns of a message that name its state.
type MessageFacts struct {
	Status       string    // messages.status
	At           time.Time // when it reached that status
	ErrorCode    Code
	ErrorVariant string
}

// MessageState names the state of a message. It takes Provider, To, Now and
// Zone from args. An unknown status reads as unconfirmed.
func MessageState(lang Lang, f MessageFacts, args Args) State {
	args.At = f.At
	s := state(lang, messageStates, f.Status, "unknown", args)
	if s.Key == "failed" {
		s.Tooltip = codeTitle(lang, f.ErrorCode, f.ErrorVariant, args)
	}
	return s
}

// CallFacts are the columns of a call that name its state.
type CallFacts struct {
	Status       string        // calls.status
	Duration     time.Duration // so far, or in all
	ErrorCode    Code
	ErrorVariant string
}

// CallState names the state of a call. It takes Provider, To, Now and Zone from
// args. An unknown status reads as unconfirmed.
func CallState(lang Lang, f CallFacts, args Args) State {
	args.Duration = f.Duration
	s := state(lang, callStates, f.Status, "unknown", args)
	if s.Key == "failed" {
		s.Tooltip = codeTitle(lang, f.ErrorCode, f.ErrorVariant, args)
	}
	return s
}

// codeTitle is the title of a failure's code. A failure without a code, as an
// earlier system may have left, has none.
func codeTitle(lang Lang, code Code, variant string, args Args) string {
	if code == "" {
		return ""
	}
	return Render(lang, code, variant, args).Title
}

// state fills a row of a table; the row of other stands for an unknown key.
func state(lang Lang, rows []stateRow, key, other string, args Args) State {
	var found stateRow
	for _, row := range rows {
		if row.key == key {
			found = row
			break
		}
		if row.key == other {
			found = row
		}
	}
	r := newRenderer(lang, args)
	return State{
		Key: found.key, Tone: found.tone, Tick: found.tick,
		Label:   r.piece(found.label.in(lang)),
		Tooltip: r.prose(found.tooltip.in(lang)),
	}
}

// joined puts what is not empty into one tooltip.
func joined(sentences ...string) string {
	var kept []string
	for _, s := range sentences {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " ")
}
