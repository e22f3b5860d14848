package sandbox

import (
	"encoding/json"
	"net/http"
)

// Faults that Zoho answers in its own words and other providers do not have.
const (
	FaultAuthenticationFailure Kind = "authentication_failure" // 401 AUTHENTICATION_FAILURE
	FaultNoPermission          Kind = "no_permission"          // 403 NO_PERMISSION
	FaultInvalidModule         Kind = "invalid_module"         // 400 INVALID_MODULE
	FaultRequiredParam         Kind = "required_param"         // 400 REQUIRED_PARAM_MISSING
	FaultLimitExceeded         Kind = "limit_exceeded"         // 400 LIMIT_EXCEEDED
	FaultAmbiguity             Kind = "ambiguity"              // 400 AMBIGUITY_DURING_PROCESSING
	FaultDiscreteLimit         Kind = "discrete_limit"         // 400 DISCRETE_PAGINATION_LIMIT_EXCEEDED
	FaultPaginationLimit       Kind = "pagination_limit"       // 400 PAGINATION_LIMIT_EXCEEDED
	FaultExpiredCursor         Kind = "expired_cursor"         // 400 EXPIRED_VALUE
	FaultBadCursor401          Kind = "bad_cursor_401"         // TOKEN_BOUND_DATA_MISMATCH as a 401
	FaultInvalidQuery          Kind = "invalid_query"          // 400 INVALID_QUERY
	FaultSyntaxError           Kind = "syntax_error"           // 400 SYNTAX_ERROR
	FaultInvalidData           Kind = "invalid_data"           // 400 INVALID_DATA
	FaultNotSubscribed         Kind = "not_subscribed"         // 400 NOT_SUBSCRIBED of a channel
	FaultEmpty204              Kind = "empty_204"              // 204, as for nothing
	FaultUnchanged304          Kind = "unchanged_304"          // 304, as for nothing new
	FaultHTML200               Kind = "html_200"               // a login page with status 200
	Fault504                   Kind = "504"                    // a proxy's HTML page
	FaultBadSecret             Kind = "invalid_client_secret"  // 200 at the token host
	FaultBadRedirect           Kind = "invalid_redirect_uri"   // 200 at the token host
	FaultGeneralError          Kind = "general_error"          // 200 at the token host
	FaultUnknownError          Kind = "unknown_error"          // 200 with a word that nobody knows
	FaultThrottled             Kind = "throttled"              // 400 Access Denied at the token host
	FaultNoCursor              Kind = "no_cursor"              // more records and no token for them
	FaultBulkFailure           Kind = "bulk_failure"           // the bulk read that is made ends as FAILURE
)

// zohoRefusal is one of Zoho's error answers.
type zohoRefusal struct {
	status int
	body   string
}

func (e zohoRefusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(e.status)
	_, _ = w.Write([]byte(e.body))
}

func (e zohoRefusal) answer() Answer { return Answer{Status: e.status, Body: e.body} }

// zohoError is the body of every error of the API.
type zohoError struct {
	Code    string         `json:"code"`
	Details map[string]any `json:"details"`
	Message string         `json:"message"`
	Status  string         `json:"status"`
}

func newZohoError(code, message string, details map[string]any) zohoError {
	if details == nil {
		details = map[string]any{}
	}
	return zohoError{Code: code, Details: details, Message: message, Status: "error"}
}

func refuse(status int, code, message string, details map[string]any) zohoRefusal {
	return zohoRefusal{status, encoded(newZohoError(code, message, details))}
}

// encoded is v as JSON, for values that always have one.
func encoded(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// in is the refusal in the form that records' errors are set to come in.
func (e zohoRefusal) in(form string) zohoRefusal {
	switch form {
	case ErrorWrapped:
		e.body = `{"data":[` + e.body + `]}`
	case ErrorOK:
		e.status = http.StatusOK
	}
	return e
}

// The texts are the documents' where those list them. [spec30: record.json]
var (
	invalidToken          = refuse(http.StatusUnauthorized, "INVALID_TOKEN", "invalid oauth token", nil)
	authenticationFailure = refuse(http.StatusUnauthorized, "AUTHENTICATION_FAILURE", "Authentication failed", nil)
	scopeMismatchZoho     = refuse(http.StatusUnauthorized, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL", nil)
	noPermission          = refuse(http.StatusForbidden, "NO_PERMISSION", "permission denied", map[string]any{"permissions": []string{"Crm_Implied_View_Contacts"}})
	invalidModule         = refuse(http.StatusBadRequest, "INVALID_MODULE", "the module name given seems to be invalid", map[string]any{"resource_path_index": 0})
	invalidURL            = refuse(http.StatusNotFound, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one", nil)
	tooManyRequests       = refuse(http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "You have reached the limit of API calls", nil)
	internalError         = refuse(http.StatusInternalServerError, "INTERNAL_ERROR", "Internal server error occurred.", nil)
	missingFields         = refuse(http.StatusBadRequest, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", map[string]any{"param_name": "fields", "param": "fields"})
	tooManyFields         = refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "Max field limit exceeded", map[string]any{"limit": mostFields, "param_name": "fields"})
	ambiguousPage         = refuse(http.StatusBadRequest, "AMBIGUITY_DURING_PROCESSING", "page and page_token cannot be used together", map[string]any{"ambiguity_due_to": []map[string]string{{"param_name": "page"}, {"param_name": "page_token"}}})
	beyondPages           = refuse(http.StatusBadRequest, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", "use page_token to fetch records beyond the limit", map[string]any{"limit": mostPositions})
	beyondList            = refuse(http.StatusBadRequest, "PAGINATION_LIMIT_EXCEEDED", "the records that can be fetched by page_token are exhausted", nil)
	expiredPageToken      = refuse(http.StatusBadRequest, "EXPIRED_VALUE", "the page_token has expired", map[string]any{"param_name": "page_token"})
	boundPageToken        = refuse(http.StatusBadRequest, "TOKEN_BOUND_DATA_MISMATCH", "the parameters differ from those that the page_token was given for", map[string]any{"param_name": "page_token"})
	invalidID             = refuse(http.StatusBadRequest, "INVALID_DATA", "the id given seems to be invalid", map[string]any{"resource_path_index": 1})
	invalidQuery          = refuse(http.StatusBadRequest, "INVALID_QUERY", "column given seems to be invalid", map[string]any{"column_name": "Nothing"})
	syntaxError           = refuse(http.StatusBadRequest, "SYNTAX_ERROR", "invalid query formed", map[string]any{"clause": "where"})
)

// invalidParam refuses a query parameter. [?: the code for each is not known]
func invalidParam(name, text string) zohoRefusal {
	return refuse(http.StatusBadRequest, "INVALID_DATA", text, map[string]any{"param_name": name, "param": name})
}

// tokenWord is an error of the token host: one word, and status 200.
// [bug: asciisd/zoho#6]
func tokenWord(word string) zohoRefusal {
	return zohoRefusal{http.StatusOK, encoded(map[string]string{"error": word})}
}

// throttledRefresh is what the token host answers to too many refreshes. [seen]
var throttledRefresh = zohoRefusal{http.StatusBadRequest, encoded(map[string]string{
	"error": "Access Denied", "status": "failure",
	"error_description": "You have made too many requests continuously. Please try again after some time.",
})}

// zohoAnswers are the faults that Zoho answers in its own words.
func zohoAnswers() map[Kind]Answer {
	spent := tooManyRequests.answer()
	spent.Header = http.Header{}
	spent.Header.Set(creditsHeader, "0")
	mismatch401 := boundPageToken.answer()
	mismatch401.Status = http.StatusUnauthorized
	const page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form action=\"/signin\"></form></body></html>\n"
	answers := map[Kind]Answer{
		FaultDaily429: spent, FaultBadCursor401: mismatch401,
		FaultSuccessFalse: {Status: http.StatusOK, Body: internalError.body},
		FaultNotSubscribed: {Status: http.StatusBadRequest, Body: encoded(map[string]any{
			"watch": []zohoError{notSubscribed("1000000068001")},
		})},
		FaultEmpty204: {Status: http.StatusNoContent}, FaultUnchanged304: {Status: http.StatusNotModified},
		FaultHTML200: {Status: http.StatusOK, Body: page},
		Fault504:     {Status: http.StatusGatewayTimeout, Body: "<html><body><h1>504 Gateway Time-out</h1></body></html>\n"},
	}
	for kind, refused := range map[Kind]zohoRefusal{
		Fault429: tooManyRequests, Fault500: internalError, Fault401: invalidToken, Fault403Scope: scopeMismatchZoho,
		Fault404: invalidURL, FaultBadCursor: boundPageToken, FaultExpiredCursor: expiredPageToken,
		FaultAuthenticationFailure: authenticationFailure, FaultNoPermission: noPermission, FaultInvalidModule: invalidModule,
		FaultRequiredParam: missingFields, FaultLimitExceeded: tooManyFields, FaultAmbiguity: ambiguousPage,
		FaultDiscreteLimit: beyondPages, FaultPaginationLimit: beyondList, FaultInvalidQuery: invalidQuery,
		FaultSyntaxError: syntaxError, FaultInvalidData: invalidID, FaultThrottled: throttledRefresh,
		FaultInvalidGrant: tokenWord("invalid_code"), FaultBadClient: tokenWord("invalid_client"),
		FaultBadSecret: tokenWord("invalid_client_secret"), FaultBadRedirect: tokenWord("invalid_redirect_uri"),
		FaultGeneralError: tokenWord("general_error"), FaultUnknownError: tokenWord("invalid_weather"),
	} {
		answers[kind] = refused.answer()
	}
	return answers
}

// notSubscribed says that a channel is not there.
func notSubscribed(channel string) zohoError {
	return newZohoError("NOT_SUBSCRIBED", "The channel_id given is not subscribed", map[string]any{"channel_id": channel})
}

func writeZoho(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
