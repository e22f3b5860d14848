package words

// codeWords is a code's, or one of its variants', entry in the table.
type codeWords struct {
	code    Code
	variant string
	en, es  wording
}

// codeTexts is read only. A variant's line replaces what it gives of its
// code's: title, sentence or buttons.
var codeTexts = []codeWords{
	{
		code: ProviderUnavailable,
		en:   wording{title: "{provider} is not answering", sentence: "We try again {at}. What was already synced is safe.", buttons: []string{"Try now"}},
		es:   wording{title: "{provider} no responde", sentence: "Lo intentamos de nuevo {at}. Lo ya sincronizado está a salvo.", buttons: []string{"Intentar ahora"}},
	},
	{
		code: RateLimited,
		en:   wording{title: "Waiting for {provider}", sentence: "{provider} asked us to slow down. We go on {at}, from where we are.", buttons: none()},
		es:   wording{title: "Esperando a {provider}", sentence: "{provider} nos pidió ir más despacio. Seguimos {at}, desde donde vamos.", buttons: none()},
	},
	{
		code: RateLimited, variant: VariantOurs,
		en: wording{title: "Too many requests", sentence: "Up to {limit} requests a minute are allowed for this key. Repeat {at}.", buttons: none()},
		es: wording{title: "Demasiadas solicitudes", sentence: "Esta clave admite {limit} solicitudes por minuto. Repite {at}.", buttons: none()},
	},
	{
		code: QuotaExhausted,
		en:   wording{title: "Daily limit of {provider} used up", sentence: "Your account's calls for today are spent, by all its apps together. We go on {at}.", buttons: []string{"See usage"}},
		es:   wording{title: "Límite diario de {provider} agotado", sentence: "Las llamadas de hoy de tu cuenta ya se usaron, sumando todas sus apps. Seguimos {at}.", buttons: []string{"Ver uso"}},
	},
	{
		code: QuotaExhausted, variant: VariantReserve,
		en: wording{title: "Waiting for {provider}", sentence: "Today's share for syncing is used; the last {percent} stays free for your other apps. We go on {at}, from here.", buttons: []string{"See usage"}},
		es: wording{title: "Esperando a {provider}", sentence: "La parte de hoy para sincronizar se agotó; el último {percent} queda para tus otras apps. Seguimos {at}, desde aquí.", buttons: []string{"Ver uso"}},
	},
	{
		code: NeedsReauth,
		en:   wording{title: "Reconnect {provider}", sentence: "{provider} no longer accepts the permission given for {account}. Your contacts stay here; new changes arrive after you reconnect.", buttons: []string{"Reconnect"}},
		es:   wording{title: "Reconecta {provider}", sentence: "{provider} ya no acepta el permiso dado para {account}. Tus contactos siguen aquí; los cambios nuevos llegan cuando reconectes.", buttons: []string{"Reconectar"}},
	},
	{
		code: NeedsReauth, variant: VariantScope,
		en: wording{title: "{provider} needs one more permission", sentence: "Missing: {name}. Reconnect and leave it checked.", buttons: []string{"Reconnect"}},
		es: wording{title: "{provider} necesita un permiso más", sentence: "Falta: {name}. Reconecta y deja marcado ese permiso.", buttons: []string{"Reconectar"}},
	},
	{
		code: Misconfigured,
		en:   wording{title: "Setup on our side needs attention", sentence: "{provider} does not accept our app's settings. The team was told; your connection is intact and needs nothing from you.", buttons: none()},
		es:   wording{title: "Hay que revisar nuestra configuración", sentence: "{provider} no acepta los datos de nuestra app. El equipo ya fue avisado; tu conexión está intacta y no tienes que hacer nada.", buttons: none()},
	},
	{
		code: Misconfigured, variant: VariantRequest,
		en: wording{sentence: "{provider} changed how it wants to be asked. The team was told.", buttons: none()},
		es: wording{sentence: "{provider} cambió la forma de consultarlo. El equipo ya fue avisado.", buttons: none()},
	},
	{
		code: Misconfigured, variant: VariantKey,
		en: wording{sentence: "The stored token cannot be opened with the current key. The team was told.", buttons: none(), operators: "run `enlace keys import`"},
		es: wording{sentence: "El token guardado no se abre con la clave actual. El equipo ya fue avisado.", buttons: none(), operators: "ejecuta `enlace keys import`"},
	},
	{
		code: Blocked,
		en:   wording{title: "{provider} does not let this account in", sentence: `{provider} says: "{detail}" We look again {at}.`, buttons: []string{"Open {provider}", "Check now"}},
		es:   wording{title: "{provider} no deja entrar a esta cuenta", sentence: `{provider} dice: "{detail}" Volvemos a mirar {at}.`, buttons: []string{"Abrir {provider}", "Revisar ahora"}},
	},
	{
		code: Blocked, variant: VariantPayment,
		en: wording{title: "{account} has a payment pending at {provider}", sentence: "Once it is settled there, we go on by ourselves. We look again {at}."},
		es: wording{title: "{account} tiene un pago pendiente en {provider}", sentence: "Cuando se resuelva allí, seguimos sin más pasos. Volvemos a mirar {at}."},
	},
	{
		code: Blocked, variant: VariantSuspended,
		en: wording{title: "{provider} has suspended {account}", sentence: "Only {provider} can lift it. We look again {at}; queued work waits."},
		es: wording{title: "{provider} suspendió {account}", sentence: "Solo {provider} puede levantarlo. Volvemos a mirar {at}; lo pendiente espera."},
	},
	{
		code: Blocked, variant: VariantPermission,
		en: wording{title: "The {provider} user may not read contacts", sentence: "Ask a {provider} admin for access to contacts, then check again."},
		es: wording{title: "El usuario de {provider} no puede leer contactos", sentence: "Pide a un administrador de {provider} acceso a los contactos y revisa de nuevo."},
	},
	{
		code: CursorExpired,
		en:   wording{title: "The reading position was lost", sentence: "{provider} dropped our place in the list twice. The next sync starts over {at}; nothing is duplicated.", buttons: []string{"Sync now"}},
		es:   wording{title: "Se perdió la posición de lectura", sentence: "{provider} olvidó dos veces por dónde íbamos. La próxima sincronización empieza de nuevo {at}; nada se duplica.", buttons: []string{"Sincronizar ahora"}},
	},
	{
		code: InvalidRequest,
		en:   wording{title: "{provider} did not accept this", sentence: `{provider} says: "{detail}"`, buttons: []string{"Edit"}},
		es:   wording{title: "{provider} no lo aceptó", sentence: `{provider} dice: "{detail}"`, buttons: []string{"Editar"}},
	},
	{
		code: InvalidRequest, variant: VariantSync,
		en: wording{title: "{provider} refused the sync", sentence: `{provider} says: "{detail}" The team was told; what was synced is safe.`, buttons: []string{"Sync now"}},
		es: wording{title: "{provider} rechazó la sincronización", sentence: `{provider} dice: "{detail}" El equipo ya fue avisado; lo sincronizado está a salvo.`, buttons: []string{"Sincronizar ahora"}},
	},
	{
		code: InvalidRequest, variant: VariantGaveUp,
		en: wording{title: "{provider} could not send it", sentence: `It refused three times: "{detail}" Nothing was sent; you can try again.`, buttons: []string{"Send again"}},
		es: wording{title: "{provider} no pudo enviarlo", sentence: `Lo rechazó tres veces: "{detail}" No se envió nada; puedes intentar de nuevo.`, buttons: []string{"Enviar de nuevo"}},
	},
	{
		code: NotFound,
		en:   wording{title: "Not found", sentence: "It does not exist, or it is not in your account.", buttons: []string{"Back to the list"}},
		es:   wording{title: "No se encontró", sentence: "No existe o no está en tu cuenta.", buttons: []string{"Volver a la lista"}},
	},
	{
		code: UnknownOutcome,
		en:   wording{title: "We don't know if it arrived", sentence: "{provider} did not confirm. We don't send twice by ourselves: check with the person, or wait for the confirmation.", buttons: []string{"Send again", "It arrived"}},
		es:   wording{title: "No sabemos si llegó", sentence: "{provider} no lo confirmó. No lo enviamos dos veces por nuestra cuenta: pregunta a la persona o espera la confirmación.", buttons: []string{"Enviar de nuevo", "Sí llegó"}},
	},
	{
		code: SchemaChanged,
		en:   wording{title: "{provider} answered in an unexpected form", sentence: "The sync stopped before storing anything doubtful. The team was told.", buttons: none()},
		es:   wording{title: "{provider} respondió con un formato inesperado", sentence: "La sincronización se detuvo antes de guardar algo dudoso. El equipo ya fue avisado.", buttons: none()},
	},
	{
		code: RecordSkipped,
		en:   wording{title: "{n:contact/contacts} skipped", sentence: "The rest is up to date. We try the skipped ones at every sync.", buttons: []string{"See which"}},
		es:   wording{title: "{n:contacto omitido/contactos omitidos}", sentence: "Lo demás está al día. Reintentamos los omitidos en cada sincronización.", buttons: []string{"Ver cuáles"}},
	},
	{
		code: DeletionsHeld,
		en:   wording{title: "{n:contact is/contacts are} missing in {provider}", sentence: "That is more than usual, so we deleted nothing. Look at the sample and decide.", buttons: []string{"Review"}},
		es:   wording{title: "{n:contacto falta/contactos faltan} en {provider}", sentence: "Son más de lo habitual, así que no eliminamos nada. Mira la muestra y decide.", buttons: []string{"Revisar"}},
	},
	{
		code: Drift,
		en:   wording{title: "The counts differ", sentence: "{provider} reports {count}, here there are {live}. A full sync checks it {at}.", buttons: []string{"Check now"}},
		es:   wording{title: "Las cantidades no coinciden", sentence: "{provider} informa {count} y aquí hay {live}. Una sincronización completa lo revisa {at}.", buttons: []string{"Revisar ahora"}},
	},
	{
		code: WebhookLost,
		en:   wording{title: "Changes arrive later than usual", sentence: "{provider} stopped sending change notices. We check {schedule} and restore the notices.", buttons: none()},
		es:   wording{title: "Los cambios llegan más tarde", sentence: "{provider} dejó de avisarnos de los cambios. Consultamos {schedule} y restablecemos los avisos.", buttons: none()},
	},
	{
		code: WebhookLost, variant: VariantOutgoing,
		en: wording{title: "Your webhook {name} is off", sentence: "It did not accept deliveries for 3 days. Fix it and switch it on; events from {date} on can be replayed.", buttons: []string{"Switch on"}},
		es: wording{title: "Tu webhook {name} está apagado", sentence: "No aceptó entregas durante 3 días. Corrígelo y enciéndelo; los eventos desde el {date} se pueden repetir.", buttons: []string{"Encender"}},
	},
	{
		code: ProviderSunset,
		en:   wording{title: "{provider} retires something we use on {date}", sentence: "Update enlace before then. Nothing changes today.", buttons: []string{"Read more"}},
		es:   wording{title: "{provider} retira algo que usamos el {date}", sentence: "Actualiza enlace antes de esa fecha. Hoy no cambia nada.", buttons: []string{"Leer más"}},
	},
	{
		code: Interrupted,
		en:   wording{title: "Interrupted by the move", sentence: "This sync was open in the earlier system. The next one covers it.", buttons: []string{"Sync now"}},
		es:   wording{title: "Interrumpida por el cambio de sistema", sentence: "Esta sincronización quedó abierta en el sistema anterior. La próxima la cubre.", buttons: []string{"Sincronizar ahora"}},
	},
	{
		code: Cancelled,
		en:   wording{title: "Cancelled[ by {name}]", sentence: "{n:contact/contacts} had been synced and stay. The schedule goes on {at}.", buttons: []string{"Sync now"}},
		es:   wording{title: "Cancelada[ por {name}]", sentence: "Se conservan {n:contacto sincronizado/contactos sincronizados}. El horario sigue {at}.", buttons: []string{"Sincronizar ahora"}},
	},
	{
		code: Internal,
		en:   wording{title: "Something failed on our side", sentence: "The team was told. What was synced is safe; repeating is safe too.", buttons: []string{"Try again"}},
		es:   wording{title: "Algo falló de nuestro lado", sentence: "El equipo ya fue avisado. Lo sincronizado está a salvo y puedes repetir sin riesgo.", buttons: []string{"Intentar de nuevo"}},
	},
	{
		code: Internal, variant: VariantDatabase,
		en: wording{title: "Back in a moment", sentence: "Our database is not reachable. Nothing is lost; running syncs go on by themselves.", buttons: []string{"Try again"}},
		es: wording{title: "Volvemos en un momento", sentence: "No alcanzamos nuestra base de datos. Nada se pierde; las sincronizaciones siguen solas.", buttons: []string{"Intentar de nuevo"}},
	},
	{
		code: Unauthorized,
		en:   wording{title: "Sign in again", sentence: "Your session ended, or the key is not valid.", buttons: []string{"Sign in"}},
		es:   wording{title: "Inicia sesión de nuevo", sentence: "Tu sesión terminó o la clave no es válida.", buttons: []string{"Iniciar sesión"}},
	},
	{
		code: Forbidden,
		en:   wording{title: "Not allowed with this access", sentence: "This needs {name}. Ask an admin of your account.", buttons: none()},
		es:   wording{title: "Tu acceso no lo permite", sentence: "Hace falta {name}. Pídelo a un administrador de tu cuenta.", buttons: none()},
	},
	{
		code: ValidationFailed,
		en:   wording{title: "Check {field}", sentence: "{what}", buttons: []string{"Edit"}},
		es:   wording{title: "Revisa {field}", sentence: "{what}", buttons: []string{"Editar"}},
	},
	{
		code: Conflict,
		en:   wording{title: "It already changed", sentence: "{what} Nothing was done.", buttons: []string{"Refresh"}},
		es:   wording{title: "Ya cambió", sentence: "{what} No se hizo nada.", buttons: []string{"Actualizar"}},
	},
	{
		code: Conflict, variant: VariantKeyRunning,
		en: wording{sentence: "The same request is still in progress. Repeat {at}."},
		es: wording{sentence: "La misma solicitud sigue en curso. Repite {at}."},
	},
	{
		code: Conflict, variant: VariantKeyReused,
		en: wording{sentence: "This Idempotency-Key was used with other content. Use a new key for a new request."},
		es: wording{sentence: "Esta Idempotency-Key se usó con otro contenido. Usa una clave nueva para una solicitud nueva."},
	},
	{
		code: IntegrationInactive,
		en:   wording{title: "{account} is paused", sentence: "It does not sync while paused.", buttons: []string{"Resume"}},
		es:   wording{title: "{account} está en pausa", sentence: "No sincroniza mientras está en pausa.", buttons: []string{"Reanudar"}},
	},
	{
		code: IntegrationInactive, variant: VariantDisconnected,
		en: wording{title: "{account} is disconnected", sentence: "Connect it again to sync; its contacts are still here.", buttons: []string{"Connect"}},
		es: wording{title: "{account} está desconectada", sentence: "Conéctala de nuevo para sincronizar; sus contactos siguen aquí.", buttons: []string{"Conectar"}},
	},
	{
		code: ConnectDenied,
		en:   wording{title: "{provider} was not connected", sentence: "The permission was not granted. Nothing changed.", buttons: []string{"Connect"}},
		es:   wording{title: "{provider} no se conectó", sentence: "No se dio el permiso. Nada cambió.", buttons: []string{"Conectar"}},
	},
	{
		code: ConnectDenied, variant: VariantPartial,
		en: wording{sentence: "A needed permission was left out: {name}. Connect again and leave it checked."},
		es: wording{sentence: "Faltó un permiso necesario: {name}. Conecta de nuevo y deja marcado ese permiso."},
	},
	{
		code: ConnectInvalid,
		en:   wording{title: "That link is no longer valid", sentence: "Start the connection again; it takes a minute.", buttons: []string{"Connect"}},
		es:   wording{title: "Ese enlace ya no vale", sentence: "Empieza la conexión de nuevo; toma un minuto.", buttons: []string{"Conectar"}},
	},
	{
		code: WindowClosed,
		en:   wording{title: "More than 24 hours since their last message", sentence: "WhatsApp now allows only templates, until they write.", buttons: []string{"Choose a template"}},
		es:   wording{title: "Pasaron más de 24 horas desde su último mensaje", sentence: "WhatsApp ahora solo permite plantillas, hasta que escriba.", buttons: []string{"Elegir plantilla"}},
	},
	{
		code: TemplateRejected,
		en:   wording{title: "The template {name} was not accepted", sentence: `WhatsApp says: "{detail}" The list was read again.`, buttons: []string{"Choose a template"}},
		es:   wording{title: "No se aceptó la plantilla {name}", sentence: `WhatsApp dice: "{detail}" Leímos la lista de nuevo.`, buttons: []string{"Elegir plantilla"}},
	},
	{
		code: RecipientUnavailable,
		en:   wording{title: "{to} cannot be reached by {provider}", sentence: "The number may be wrong or not use {provider}.", buttons: []string{"Edit number"}},
		es:   wording{title: "No se puede contactar a {to} por {provider}", sentence: "El número puede estar mal o no usar {provider}.", buttons: []string{"Editar número"}},
	},
	{
		code: RecipientUnavailable, variant: VariantOptedOut,
		en: wording{title: "{to} asked not to get promotions", sentence: "You can still answer when they write.", buttons: none()},
		es: wording{title: "{to} pidió no recibir promociones", sentence: "Puedes responder cuando escriba.", buttons: none()},
	},
	{
		code: RecipientUnavailable, variant: VariantCountry,
		en: wording{title: "{provider} does not reach this country from your account", sentence: "Allow it in your {provider} settings.", buttons: []string{"Open {provider}"}},
		es: wording{title: "{provider} no llega a este país desde tu cuenta", sentence: "Habilítalo en los ajustes de {provider}.", buttons: []string{"Abrir {provider}"}},
	},
	{
		code: RecipientUnavailable, variant: VariantTestOnly,
		en: wording{title: "Test accounts reach only verified numbers", sentence: "Verify {to} at {provider}, or leave test mode.", buttons: []string{"Open {provider}"}},
		es: wording{title: "Las cuentas de prueba solo llegan a números verificados", sentence: "Verifica {to} en {provider} o sal del modo de prueba.", buttons: []string{"Abrir {provider}"}},
	},
	{
		code: RecipientUnavailable, variant: VariantLater,
		en: wording{title: "WhatsApp chose not to deliver it", sentence: "This person gets many promotions. You can try {at}.", buttons: none()},
		es: wording{title: "WhatsApp decidió no entregarlo", sentence: "Esta persona recibe muchas promociones. Puedes intentarlo {at}.", buttons: none()},
	},
	{
		code: ChannelSetup,
		en:   wording{title: "{account} is not ready to send", sentence: `{provider} says: "{detail}" {n:message waits/messages wait}; none is lost.`, buttons: []string{"Open {provider}", "Check now"}},
		es:   wording{title: "{account} aún no puede enviar", sentence: `{provider} dice: "{detail}" {n:mensaje espera/mensajes esperan}; ninguno se pierde.`, buttons: []string{"Abrir {provider}", "Revisar ahora"}},
	},
}
