package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
)

// refusal is one of Pipedrive's error answers.
type refusal struct {
	status int
	body   string
}

func (e refusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(e.status)
	_, _ = w.Write([]byte(e.body))
}

func (e refusal) answer() Answer { return Answer{Status: e.status, Body: e.body} }

// The envelopes differ between the two API versions; what the texts say is not
// documented, except that of a v1 401.
var (
	unauthorized  = refusal{http.StatusUnauthorized, `{"success":false,"error":"unauthorized access","errorCode":401}`}
	notOpen       = refusal{http.StatusPaymentRequired, v2Error("Company account is not open", "ERR_PAYMENT_REQUIRED")}
	scopeMismatch = refusal{http.StatusForbidden, v2Error("Scope and URL mismatch", "ERR_FORBIDDEN")}
	gone          = refusal{http.StatusGone, `{"success":false,"error":"Gone"}`}
	tooMany       = refusal{http.StatusTooManyRequests, `{"success":false,"error":"Request over limit","errorCode":429}`}
	serverError   = refusal{http.StatusInternalServerError, v2Error("Internal Server Error", "ERR_UNKNOWN")}
	badCursor     = badRequest("Parameter 'cursor' is invalid")
	invalidClient = tokenRefusal("invalid_client", "Invalid client: client is invalid")
)

func v2Error(text, code string) string {
	body, _ := json.Marshal(struct {
		Success bool   `json:"success"`
		Error   string `json:"error"`
		Code    string `json:"code"`
	}{Error: text, Code: code})
	return string(body)
}

func badRequest(text string) refusal {
	body, _ := json.Marshal(struct {
		Success        bool   `json:"success"`
		Error          string `json:"error"`
		ErrorInfo      string `json:"error_info"`
		Data           any    `json:"data"`
		AdditionalData any    `json:"additional_data"`
	}{Error: text, ErrorInfo: "Please check developers.pipedrive.com"})
	return refusal{http.StatusBadRequest, string(body)}
}

func notFound(text string) refusal {
	return refusal{http.StatusNotFound, v2Error(text, "ERR_NOT_FOUND")}
}

// tokenRefusal is an error of the token endpoint: always 400, told apart by
// error and by the text before the colon of message.
func tokenRefusal(code, message string) refusal {
	body, _ := json.Marshal(struct {
		Success bool   `json:"success"`
		Message string `json:"message"`
		Error   string `json:"error"`
	}{Message: message, Error: code})
	return refusal{http.StatusBadRequest, string(body)}
}

// pipedriveAnswers are the faults that Pipedrive answers in its own words.
func pipedriveAnswers() map[Kind]Answer {
	burst := tooMany.answer()
	burst.Header = http.Header{}
	for name, value := range map[string]string{"x-ratelimit-limit": "80", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"} {
		burst.Header.Set(name, value)
	}
	daily := tooMany.answer()
	daily.Header = http.Header{}
	for name, value := range map[string]string{"x-daily-ratelimit-token-limit": "30000", "x-daily-ratelimit-token-remaining": "0", "retry-after": "3"} {
		daily.Header.Set(name, value)
	}
	return map[Kind]Answer{
		Fault429: burst, FaultDaily429: daily, Fault500: serverError.answer(), Fault401: unauthorized.answer(),
		Fault402: notOpen.answer(), Fault403Scope: scopeMismatch.answer(), Fault404: notFound("Not found").answer(),
		Fault410: gone.answer(), FaultBadCursor: badCursor.answer(), FaultBadClient: invalidClient.answer(),
		FaultSuccessFalse: {Status: http.StatusOK, Body: `{"success":false,"error":"Internal error","data":null}`},
		FaultInvalidGrant: tokenRefusal("invalid_grant", "Invalid grant: refresh_token is invalid").answer(),
	}
}

// What a call needs: one of these scopes.
var (
	scopeBase  = []string{"base"}
	scopeRead  = []string{"contacts:read", "contacts:full"}
	scopeWrite = []string{"contacts:full"}
	scopeHooks = []string{"webhooks:full", "admin"}
)

func scopeCovers(granted string, oneOf []string) bool {
	for have := range strings.SplitSeq(granted, ",") {
		for _, want := range oneOf {
			if strings.TrimSpace(have) == want {
				return true
			}
		}
	}
	return false
}

func writeAPI(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
