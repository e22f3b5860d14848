package words

// Keys of waiting_reason: why an active run, a message or a call is not being
// worked on.
const (
	WaitQueued         = "queued"
	WaitAfterRun       = "after_run"
	WaitTurn           = "turn"
	WaitRenewing       = "renewing"
	WaitBackoff        = "backoff"
	WaitRateLimited    = "rate_limited"
	WaitQuotaExhausted = "quota_exhausted"
	WaitReserve        = "reserve"
	WaitChannelPaused  = "channel_paused" // messages, calls
	WaitInOrder        = "in_order"       // messages
	WaitPaced          = "paced"          // messages
	WaitBlocked        = "blocked"
	WaitExport         = "export"
	WaitProviderDown   = "provider_down"
)

var waitingLines = []line{
	{
		key: "queued",
		en:  wording{sentence: "Starts as soon as a worker is free."},
		es:  wording{sentence: "Empieza en cuanto haya un lugar libre."},
	},
	{
		key: "after_run",
		en:  wording{sentence: "Starts when the sync now running ends."},
		es:  wording{sentence: "Empieza cuando termine la que está en curso."},
	},
	{
		key: "turn",
		en:  wording{sentence: "Paused for a moment so that others advance too."},
		es:  wording{sentence: "Cede el turno un momento para que otras avancen."},
	},
	{
		key: "renewing",
		en:  wording{sentence: "Renewing the permission; seconds."},
		es:  wording{sentence: "Renovando el permiso; segundos."},
	},
	{
		key: "backoff",
		en:  wording{sentence: "{provider} is not answering. Try {count} of 8 {at}."},
		es:  wording{sentence: "{provider} no responde. Intento {count} de 8 {at}."},
	},
	{
		key: "rate_limited",
		en:  wording{sentence: "{provider} asked us to slow down. We go on {at}."},
		es:  wording{sentence: "{provider} pidió ir más despacio. Seguimos {at}."},
	},
	{
		key: "quota_exhausted",
		en:  wording{sentence: "Today's calls are spent. We go on {at}."},
		es:  wording{sentence: "Las llamadas de hoy se agotaron. Seguimos {at}."},
	},
	{
		key: "reserve",
		en:  wording{sentence: "Today's share for syncing is used; {percent} stays free for your other apps. We go on {at}."},
		es:  wording{sentence: "La parte de hoy para sincronizar se agotó; {percent} queda para tus otras apps. Seguimos {at}."},
	},
	{
		key: "channel_paused",
		en:  wording{sentence: "Waits until {account} can send again."},
		es:  wording{sentence: "Espera a que {account} pueda enviar de nuevo."},
	},
	{
		key: "in_order",
		en:  wording{sentence: "Leaves right after the message before it."},
		es:  wording{sentence: "Sale justo después del mensaje anterior."},
	},
	{
		key: "paced",
		en:  wording{sentence: "Several to this person in a row; leaves {at}."},
		es:  wording{sentence: "Van varios seguidos a esta persona; sale {at}."},
	},
	{
		key: "blocked",
		en:  wording{sentence: "{provider} does not let the account in. We look {at}."},
		es:  wording{sentence: "{provider} no deja entrar a la cuenta. Miramos {at}."},
	},
	{
		key: "export",
		en:  wording{sentence: "{provider} is preparing the list. We look {at}."},
		es:  wording{sentence: "{provider} está preparando la lista. Miramos {at}."},
	},
	{
		key: "provider_down",
		en:  wording{sentence: "{provider} is not answering. We look every few seconds and go on by ourselves when it does."},
		es:  wording{sentence: "{provider} no responde. Miramos cada pocos segundos y seguimos solos en cuanto responda."},
	},
}

// WaitingReason says why work waits. An unknown key, which an older or newer
// binary may have stored, reads as waiting for a worker.
func WaitingReason(lang Lang, key string, args Args) string {
	l, ok := find(waitingLines, key)
	if !ok {
		l, _ = find(waitingLines, WaitQueued)
	}
	return l.in(lang).prose(lang, args)
}

// waitsForProvider tells the reasons that the provider ends from those that we end.
func waitsForProvider(reason string) bool {
	switch reason {
	case WaitBackoff, WaitRateLimited, WaitQuotaExhausted, WaitReserve, WaitBlocked, WaitExport, WaitProviderDown:
		return true
	}
	return false
}
