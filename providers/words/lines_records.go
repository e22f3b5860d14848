package words

// Keys of held deletions: the reason first, then what the sample showed.
const (
	HeldManyMissing  = "many_missing"
	HeldAllMissing   = "all_missing"
	HeldSampleGone   = "sample_gone"
	HeldSampleHidden = "sample_hidden"
	HeldSampleFailed = "sample_failed"
)

// Keys of sync_failures.reason: why one record was skipped. An odd phone or
// e-mail is never a reason; it is stored as it came.
const (
	SkipNoID     = "no_id"
	SkipTooLarge = "too_large"
	SkipBadText  = "bad_text"
	SkipBadTime  = "bad_time"
	SkipBadShape = "bad_shape"
	SkipRefused  = "refused"
)

var heldLines = []line{
	{
		key: "many_missing",
		en:  wording{sentence: "{missing} of {live} contacts no longer appear in {provider} ({percent})."},
		es:  wording{sentence: "{missing} de {live} contactos ya no aparecen en {provider} ({percent})."},
	},
	{
		key: "all_missing",
		en:  wording{sentence: "None of your {live} contacts appears in {provider} any more."},
		es:  wording{sentence: "Ninguno de tus {live} contactos aparece ya en {provider}."},
	},
	{
		key: "sample_gone", page: "sample gone",
		en: wording{sentence: "We read {count} of them one by one: all are deleted there."},
		es: wording{sentence: "Leímos {count} uno por uno: todos están eliminados allí."},
	},
	{
		key: "sample_hidden", page: "sample hidden",
		en: wording{sentence: "We read {count}: {exist} still exist. The connected user may have lost sight of them; reconnecting with an admin usually brings them back."},
		es: wording{sentence: "Leímos {count}: {exist} siguen existiendo. Quizá el usuario conectado ya no los ve; reconectar con un administrador suele recuperarlos."},
	},
	{
		key: "sample_failed", page: "sample failed",
		en: wording{sentence: "The sample could not be read yet; we try {at}."},
		es: wording{sentence: "Aún no se pudo leer la muestra; lo intentamos {at}."},
	},
}

var skippedLines = []line{
	{
		key: "no_id",
		en:  wording{sentence: "It came without an id."},
		es:  wording{sentence: "Llegó sin identificador."},
	},
	{
		key: "too_large",
		en:  wording{sentence: "It is larger than {limit}."},
		es:  wording{sentence: "Supera {limit}."},
	},
	{
		key: "bad_text",
		en:  wording{sentence: "It holds characters that cannot be stored."},
		es:  wording{sentence: "Tiene caracteres que no se pueden guardar."},
	},
	{
		key: "bad_time",
		en:  wording{sentence: `Its change time cannot be read: "{detail}".`},
		es:  wording{sentence: `No se entiende su fecha de cambio: "{detail}".`},
	},
	{
		key: "bad_shape",
		en:  wording{sentence: "The field {field} has an unexpected form."},
		es:  wording{sentence: "El campo {field} tiene una forma inesperada."},
	},
	{
		key: "refused",
		en:  wording{sentence: "Our database refused it: {detail}."},
		es:  wording{sentence: "Nuestra base de datos lo rechazó: {detail}."},
	},
}

// Held says why deletions wait for a person, or what the sample of them
// showed. It is empty for an unknown key.
func Held(lang Lang, key string, args Args) string {
	l, _ := find(heldLines, key)
	return l.in(lang).prose(lang, args)
}

// Skipped says why a record was skipped. An unknown reason reads as a refusal
// without its detail.
func Skipped(lang Lang, reason string, args Args) string {
	l, ok := find(skippedLines, reason)
	if !ok {
		l, args = skippedLines[len(skippedLines)-1], Args{}
	}
	return l.in(lang).prose(lang, args)
}
