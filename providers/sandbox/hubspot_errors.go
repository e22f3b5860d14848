package sandbox

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// Faults that HubSpot alone has, beside those that all providers share.
const (
	FaultHubSpotInvalidAuth  Kind = "401_invalid"     // INVALID_AUTHENTICATION; "401" is EXPIRED_AUTHENTICATION
	FaultHubSpotBlocked      Kind = "403_blocked"     // the account is suspended
	FaultHubSpot405          Kind = "405"             // method not allowed
	FaultHubSpot414          Kind = "414"             // the address is too long
	FaultHubSpot415          Kind = "415"             // wrong content type
	FaultHubSpotLocked       Kind = "423"             // the record is locked
	FaultHubSpotBare429      Kind = "429_bare"        // without policyName, the message names the limit
	FaultHubSpotSilent429    Kind = "429_silent"      // neither names the limit
	FaultHubSpotSecondly     Kind = "429_secondly"    // search's limit, without headers
	FaultHubSpotRetryAfter   Kind = "429_retry_after" // with Retry-After: 7
	FaultHubSpotMoving       Kind = "477"             // the account moves data centre, Retry-After: 600
	FaultHubSpotMovingBare   Kind = "477_bare"        // the same without Retry-After
	FaultHubSpot503          Kind = "503"             // HubSpot's own envelope
	FaultHubSpot504          Kind = "504"             // a gateway's page, as the next four
	FaultHubSpot521          Kind = "521"
	FaultHubSpot522          Kind = "522"
	FaultHubSpot523          Kind = "523"
	FaultHubSpot524          Kind = "524"
	FaultHubSpot530          Kind = "530"                 // the edge refuses us, in HTML
	FaultHubSpotRedirect     Kind = "301"                 // to another host
	FaultHubSpotHTML200      Kind = "200_html"            // 200 with a page
	FaultHubSpotBare400      Kind = "400_bare"            // {} and nothing else
	FaultHubSpotBadCode      Kind = "bad_auth_code"       // v1's words: the code is refused
	FaultHubSpotBadRedirect  Kind = "bad_redirect_uri"    // v1's words: another redirect_uri
	FaultHubSpotBadRefresh   Kind = "bad_refresh_token"   // v1's words: the refresh token is refused
	FaultHubSpotBadClientID  Kind = "bad_client_id"       // v1's words: our id is refused
	FaultHubSpotBadSecret    Kind = "bad_client_secret"   //nolint:gosec // v1's words: our secret is refused
	FaultHubSpotForeign      Kind = "foreign_token"       // v1's words: the token belongs to another app
	FaultHubSpotForeignOAuth Kind = "foreign_token_oauth" // the same in OAuth's words
)

// Scopes that calls need.
const (
	scopeOAuth    = "oauth"
	scopeContacts = "crm.objects.contacts.read"
)

// hubspotError is HubSpot's error envelope. All its fields are optional.
type hubspotError struct {
	Status        string               `json:"status,omitempty"`
	Message       string               `json:"message,omitempty"`
	ErrorType     string               `json:"errorType,omitempty"`
	PolicyName    string               `json:"policyName,omitempty"`
	CorrelationID string               `json:"correlationId,omitempty"`
	Category      string               `json:"category,omitempty"`
	SubCategory   string               `json:"subCategory,omitempty"`
	Errors        []hubspotErrorDetail `json:"errors,omitempty"`
	Context       map[string][]string  `json:"context,omitempty"`
}

type hubspotErrorDetail struct {
	Message string              `json:"message"`
	Code    string              `json:"code,omitempty"`
	In      string              `json:"in,omitempty"`
	Context map[string][]string `json:"context,omitempty"`
}

func (e hubspotError) refusal(status int) refusal {
	e.Status, e.CorrelationID = "error", correlationID()
	body, _ := json.Marshal(e) // strings
	return refusal{status, string(body)}
}

func correlationID() string {
	return strings.Join([]string{randomHex(4), randomHex(2), "4" + randomHex(2)[1:], "8" + randomHex(2)[1:], randomHex(6)}, "-")
}

func hubspotRefusal(status int, category, message string) refusal {
	return hubspotError{Category: category, Message: message}.refusal(status)
}

var (
	expiredAuthentication = hubspotRefusal(http.StatusUnauthorized, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call has expired.")
	invalidAuthentication = hubspotRefusal(http.StatusUnauthorized, "INVALID_AUTHENTICATION", "Authentication credentials not found or not valid.")
)

func hubspotNotFound(message string) refusal {
	return hubspotRefusal(http.StatusNotFound, "OBJECT_NOT_FOUND", message)
}

// validationError is a 400 that names the parameter it is about.
func validationError(message, code, in string) refusal {
	return hubspotError{
		Category: "VALIDATION_ERROR", Message: "Invalid input: " + message,
		Errors: []hubspotErrorDetail{{Message: message, Code: code, In: in}},
	}.refusal(http.StatusBadRequest)
}

func missingScope(scope string) refusal {
	return hubspotError{
		Category: "MISSING_SCOPES", Message: "This app hasn't been granted all required scopes to make this call.",
		Context: map[string][]string{"missingScopes": {scope}},
	}.refusal(http.StatusForbidden)
}

// overLimit is the 429 of a limit by its policy's name.
func overLimit(policy string, hideName bool) refusal {
	e := hubspotError{
		Message: "You have reached your " + strings.ToLower(policy) + " limit.", ErrorType: "RATE_LIMIT",
		Category: "RATE_LIMITS", PolicyName: policy,
	}
	if hideName {
		e.PolicyName = ""
	}
	return e.refusal(http.StatusTooManyRequests)
}

const uriTooLongPage = "<html><head><title>414 Request-URI Too Large</title></head><body><h1>414 Request-URI Too Large</h1></body></html>\n"

func uriTooLong(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusRequestURITooLong)
	_, _ = w.Write([]byte(uriTooLongPage))
}

// tokenFailure is an error of the token endpoints in both of its forms.
type tokenFailure struct{ status, oauth, message string }

var (
	badAuthCode      = tokenFailure{"BAD_AUTH_CODE", "invalid_grant", "missing or unknown auth code"}
	redirectMismatch = tokenFailure{"MISMATCH_REDIRECT_URI_AUTH_CODE", "invalid_grant", "redirect uri does not match the one that the auth code was issued for"}
	badRefreshToken  = tokenFailure{"BAD_REFRESH_TOKEN", "invalid_grant", "missing or invalid refresh token"}
	foreignToken     = tokenFailure{"BAD_REFRESH_TOKEN", "invalid_grant", "refresh token was not issued to this client"}
	badClientID      = tokenFailure{"BAD_CLIENT_ID", "invalid_client", "missing or unknown client id"}
	badClientSecret  = tokenFailure{"BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret"}
	missingField     = tokenFailure{"BAD_REQUEST", "invalid_request", "the request lacks a parameter or is no form"}
	unsupportedGrant = tokenFailure{"BAD_GRANT_TYPE", "unsupported_grant_type", "missing or unknown grant type"}
)

// refusal words the failure. The status is always 400.
func (f tokenFailure) refusal(form string) refusal {
	words := map[string]string{"status": f.status, "message": f.message, "correlationId": correlationID()}
	if form == TokenErrorsOAuth {
		words = map[string]string{"error": f.oauth, "error_description": f.message}
	}
	body, _ := json.Marshal(words) // strings
	return refusal{http.StatusBadRequest, string(body)}
}

func (h *HubSpot) refuseToken(w http.ResponseWriter, r *http.Request, f tokenFailure) {
	form := h.current().TokenErrors
	switch {
	case form == TokenErrorsHTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("<html><body><h1>Bad Request</h1><p>" + template.HTMLEscapeString(f.message) + "</p></body></html>\n"))
		return
	case form == TokenErrorsByPath && isV1(r):
		form = TokenErrorsStatus
	case form == TokenErrorsByPath:
		form = TokenErrorsOAuth
	}
	f.refusal(form).write(w)
}

// hubspotAnswers are the faults that HubSpot answers in its own words.
func hubspotAnswers() map[Kind]Answer {
	with := func(a Answer, header map[string]string) Answer {
		a.Header = http.Header{}
		for name, value := range header {
			a.Header.Set(name, value)
		}
		return a
	}
	retryAfter := func(seconds string) map[string]string { return map[string]string{"Retry-After": seconds} }
	window := map[string]string{
		"X-HubSpot-RateLimit-Max": "110", "X-HubSpot-RateLimit-Remaining": "0", "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
	}
	tenSecondly := overLimit(policyTenSecondly, false).answer()
	silent := hubspotRefusal(http.StatusTooManyRequests, "RATE_LIMITS", "Too many requests.")
	moving := hubspotRefusal(477, "MIGRATION_IN_PROGRESS", "This account is being moved to another data center.").answer()
	answers := map[Kind]Answer{
		Fault429: with(tenSecondly, window), FaultHubSpotBare429: with(overLimit(policyTenSecondly, true).answer(), window),
		FaultHubSpotSilent429: silent.answer(), FaultHubSpotSecondly: overLimit(policySecondly, false).answer(),
		FaultHubSpotRetryAfter: with(tenSecondly, retryAfter("7")), FaultDaily429: overLimit(policyDaily, false).answer(),
		FaultHubSpotMoving: with(moving, retryAfter("600")), FaultHubSpotMovingBare: moving,
		Fault401: expiredAuthentication.answer(), FaultHubSpotInvalidAuth: invalidAuthentication.answer(),
		Fault402:               hubspotRefusal(http.StatusPaymentRequired, "PAYMENT_REQUIRED", "This account's subscription does not cover this.").answer(),
		Fault403Scope:          missingScope(scopeContacts).answer(),
		FaultHubSpotBlocked:    hubspotRefusal(http.StatusForbidden, "BANNED", "This account is suspended.").answer(),
		Fault404:               hubspotNotFound("resource not found").answer(),
		FaultHubSpot405:        hubspotRefusal(http.StatusMethodNotAllowed, "VALIDATION_ERROR", "Method not allowed").answer(),
		Fault410:               hubspotRefusal(http.StatusGone, "VALIDATION_ERROR", "This version of the API is no longer served.").answer(),
		FaultHubSpot414:        {Status: http.StatusRequestURITooLong, Body: uriTooLongPage},
		FaultHubSpot415:        hubspotRefusal(http.StatusUnsupportedMediaType, "VALIDATION_ERROR", "Unsupported media type").answer(),
		FaultHubSpotLocked:     hubspotRefusal(http.StatusLocked, "LOCKED", "The record is locked; try again later.").answer(),
		Fault500:               hubspotError{Message: "internal error"}.refusal(http.StatusInternalServerError).answer(),
		FaultHubSpot503:        hubspotError{Message: "service unavailable"}.refusal(http.StatusServiceUnavailable).answer(),
		FaultHubSpotRedirect:   with(Answer{Status: http.StatusMovedPermanently, Body: "<html></html>"}, map[string]string{"Location": "https://api.hubapi.example/elsewhere"}),
		FaultHubSpotHTML200:    {Body: "<html><body>HubSpot is loading</body></html>\n"},
		FaultHubSpotBare400:    {Status: http.StatusBadRequest, Body: "{}"},
		FaultBadCursor:         validationError("after is not a valid paging cursor", "INVALID_AFTER", "after").answer(),
		FaultInvalidGrant:      badRefreshToken.refusal(TokenErrorsOAuth).answer(),
		FaultBadClient:         badClientSecret.refusal(TokenErrorsOAuth).answer(),
		FaultHubSpotBadCode:    badAuthCode.refusal(TokenErrorsStatus).answer(),
		FaultHubSpotBadRefresh: badRefreshToken.refusal(TokenErrorsStatus).answer(), FaultHubSpotBadRedirect: redirectMismatch.refusal(TokenErrorsStatus).answer(),
		FaultHubSpotBadClientID: badClientID.refusal(TokenErrorsStatus).answer(), FaultHubSpotBadSecret: badClientSecret.refusal(TokenErrorsStatus).answer(),
		FaultHubSpotForeign: foreignToken.refusal(TokenErrorsStatus).answer(), FaultHubSpotForeignOAuth: foreignToken.refusal(TokenErrorsOAuth).answer(),
	}
	for _, kind := range []Kind{FaultHubSpot504, FaultHubSpot521, FaultHubSpot522, FaultHubSpot523, FaultHubSpot524, FaultHubSpot530} {
		status, _ := strconv.Atoi(string(kind))
		answers[kind] = Answer{Status: status, Body: "<html><body><h1>Error " + string(kind) + "</h1></body></html>\n"}
	}
	return answers
}
