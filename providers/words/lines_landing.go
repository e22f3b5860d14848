package words

// Results of connecting an account: enlace_result in the address that the
// callback redirects to.
const (
	LandingConnected    = "connected"
	LandingReconnected  = "reconnected"
	LandingOtherAccount = "other_account"
	LandingDenied       = "denied"
	LandingPartial      = "partial"
	LandingExpired      = "expired"
	LandingUsed         = "used"
	LandingOtherBrowser = "other_browser"
	LandingOtherTenant  = "other_tenant"
	LandingForged       = "forged"
	LandingCode         = "code"
	LandingProviderDown = "provider_down"
	LandingThrottled    = "throttled"
	LandingSetup        = "setup"
)

var landingLines = []line{
	{
		key: "connected",
		en:  wording{sentence: "{provider} is connected: {account}, {n:contact/contacts}. First sync {at}, or now.", buttons: []string{"Sync now"}},
		es:  wording{sentence: "{provider} está conectada: {account}, {n:contacto/contactos}. Primera sincronización {at}, o ahora.", buttons: []string{"Sincronizar ahora"}},
	},
	{
		key: "reconnected",
		en:  wording{sentence: "{provider} works again. We are catching up on everything {since}."},
		es:  wording{sentence: "{provider} funciona de nuevo. Nos ponemos al día con todo {since}."},
	},
	{
		key: "other_account",
		en:  wording{sentence: "You connected {account}. {name} still needs reconnection.", buttons: []string{"Reconnect {name}"}},
		es:  wording{sentence: "Conectaste {account}. {name} aún necesita reconexión.", buttons: []string{"Reconectar {name}"}},
	},
	{
		key: "denied", code: ConnectDenied,
		en: wording{sentence: "You did not give the permission. Nothing changed."},
		es: wording{sentence: "No diste el permiso. Nada cambió."},
	},
	{
		key: "partial", code: ConnectDenied,
		en: wording{sentence: "A needed permission was left out: {name}."},
		es: wording{sentence: "Faltó un permiso necesario: {name}."},
	},
	{
		key: "expired", code: ConnectInvalid,
		en: wording{sentence: "More than 10 minutes passed. Start again."},
		es: wording{sentence: "Pasaron más de 10 minutos. Empieza de nuevo."},
	},
	{
		key: "used", code: ConnectInvalid,
		en: wording{sentence: "This step was already done; see the card below for the result."},
		es: wording{sentence: "Este paso ya se hizo; mira el resultado en la tarjeta."},
	},
	{
		key: "other_browser", code: ConnectInvalid,
		en: wording{sentence: "It began in another browser. Start again in this one."},
		es: wording{sentence: "Empezó en otro navegador. Empieza de nuevo en este."},
	},
	{
		key: "other_tenant", code: ConnectInvalid,
		en: wording{sentence: "It began in another company's session. Start again from this one."},
		es: wording{sentence: "Empezó en la sesión de otra empresa. Empieza de nuevo desde esta."},
	},
	{
		key: "forged", code: ConnectInvalid,
		en: wording{sentence: "We could not verify where this came from. Start from this page."},
		es: wording{sentence: "No pudimos verificar de dónde vino. Empieza desde esta página."},
	},
	{
		key: "code", code: ConnectInvalid,
		en: wording{sentence: "{provider} did not accept the last step. Start again."},
		es: wording{sentence: "{provider} no aceptó el último paso. Empieza de nuevo."},
	},
	{
		key: "provider_down", code: ProviderUnavailable,
		en: wording{sentence: "{provider} is not answering. Try in some minutes; nothing changed."},
		es: wording{sentence: "{provider} no responde. Inténtalo en unos minutos; nada cambió."},
	},
	{
		key: "throttled", code: RateLimited,
		en: wording{sentence: "{provider} got too many connections in a row. Try {at}."},
		es: wording{sentence: "{provider} recibió demasiadas conexiones seguidas. Inténtalo {at}."},
	},
	{
		key: "setup", code: Misconfigured,
		en: wording{sentence: "Our app is not set up for {provider} yet. The team was told."},
		es: wording{sentence: "Nuestra app aún no está lista para {provider}. El equipo ya fue avisado."},
	},
}

// LandingText is what the dashboard shows after the way through a provider's
// consent page. Code is empty where it went well.
type LandingText struct {
	Code Code
	Text
}

// Landing gives the words for a result of connecting. An unknown result, which
// anybody can write into an address, reads as one we could not verify.
func Landing(lang Lang, result string, args Args) LandingText {
	l, ok := find(landingLines, result)
	if !ok {
		l, _ = find(landingLines, LandingForged)
	}
	return LandingText{Code: l.code, Text: l.in(lang).text(lang, args)}
}
