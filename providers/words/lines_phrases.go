package words

// Keys of our own phrases for {what}.
const (
	PhraseRequired   = "required"
	PhraseTooLong    = "too_long"
	PhraseFormat     = "format"
	PhraseOneOf      = "one_of"
	PhraseExactlyOne = "exactly_one"
	PhraseUnknown    = "unknown"
	PhraseNotJSON    = "not_json"
	PhrasePhone      = "phone"
	PhraseRunEnded   = "run_ended"
	PhraseRunActive  = "run_active"
	PhraseDecided    = "decided"
	PhraseSettled    = "settled"
	PhraseCallEnded  = "call_ended"
	PhraseCleared    = "cleared"
	PhraseNoneHeld   = "none_held"
)

var phraseLines = []line{
	{
		key: "required",
		en:  wording{sentence: "It is missing."},
		es:  wording{sentence: "Falta."},
	},
	{
		key: "too_long",
		en:  wording{sentence: "It is longer than {limit}."},
		es:  wording{sentence: "Supera {limit}."},
	},
	{
		key: "format",
		en:  wording{sentence: "It must look like {name}."},
		es:  wording{sentence: "Debe tener la forma {name}."},
	},
	{
		key: "one_of",
		en:  wording{sentence: "It must be one of: {name}."},
		es:  wording{sentence: "Debe ser uno de: {name}."},
	},
	{
		key: "exactly_one",
		en:  wording{sentence: "Give exactly one of: {name}."},
		es:  wording{sentence: "Indica exactamente uno de: {name}."},
	},
	{
		key: "unknown",
		en:  wording{sentence: "There is no {name}."},
		es:  wording{sentence: "No existe {name}."},
	},
	{
		key: "not_json",
		en:  wording{sentence: "The body is not valid JSON (position {count})."},
		es:  wording{sentence: "El contenido no es JSON válido (posición {count})."},
	},
	{
		key: "phone",
		en:  wording{sentence: "Start with + and the country code, 8 to 15 digits."},
		es:  wording{sentence: "Empieza con + y el código de país, de 8 a 15 dígitos."},
	},
	{
		key: "run_ended",
		en:  wording{sentence: "This sync has already ended."},
		es:  wording{sentence: "Esta sincronización ya terminó."},
	},
	{
		key: "run_active",
		en:  wording{sentence: "Another sync of this account is active."},
		es:  wording{sentence: "Otra sincronización de esta cuenta está activa."},
	},
	{
		key: "decided",
		en:  wording{sentence: "These deletions were already decided by {name}."},
		es:  wording{sentence: "{name} ya decidió sobre estas eliminaciones."},
	},
	{
		key: "settled",
		en:  wording{sentence: "The message was confirmed meanwhile: {state}."},
		es:  wording{sentence: "El mensaje se confirmó mientras tanto: {state}."},
	},
	{
		key: "call_ended",
		en:  wording{sentence: "The call has already ended."},
		es:  wording{sentence: "La llamada ya terminó."},
	},
	{
		key: "cleared",
		en:  wording{sentence: "A later full sync has decided about these deletions."},
		es:  wording{sentence: "Una sincronización completa posterior ya resolvió estas eliminaciones."},
	},
	{
		key: "none_held",
		en:  wording{sentence: "No deletion of this sync waits for a decision."},
		es:  wording{sentence: "Ninguna eliminación de esta sincronización espera una decisión."},
	},
}

// Phrase gives one of our own phrases, to be set as Args.What. It is empty for
// an unknown key.
func Phrase(lang Lang, key string, args Args) string {
	l, _ := find(phraseLines, key)
	return l.in(lang).prose(lang, args)
}
