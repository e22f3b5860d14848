package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ZohoSettings are what the control resource shows and PATCH changes.
type ZohoSettings struct {
	// AutoConsent answers the consent with a redirect as if the user had allowed
	// it for ConsentOrg, without the page.
	AutoConsent bool `json:"auto_consent"`
	ConsentOrg  int  `json:"consent_org"`
	// Scope replaces the scopes that a consent asks for, as a user does who may
	// not give them all; empty grants what is asked.
	Scope string `json:"scope"`
	// MultiDC says whether our app is known outside of the US data centre.
	MultiDC bool `json:"multi_dc"`
	// AcceptBearer takes "Authorization: Bearer" beside "Zoho-oauthtoken".
	AcceptBearer bool `json:"accept_bearer"`

	// TokenLifeSeconds is how long an access token lives.
	TokenLifeSeconds int `json:"token_life_seconds"`
	// ExpiresIn is the unit of expires_in: ExpiresInSeconds, ExpiresInMS (then
	// with expires_in_sec beside it) or Omitted.
	ExpiresIn string `json:"expires_in"`
	// RefreshTokenInAnswer is what a refresh answers as refresh_token: Omitted,
	// AnswerEmpty or AnswerNull.
	RefreshTokenInAnswer string `json:"refresh_token_in_answer"`
	// APIDomain is what a refresh answers as api_domain: empty for the right one,
	// Omitted, or any text as it is.
	APIDomain string `json:"api_domain"`
	// RefreshesPerWindow is how many access tokens a refresh token gets in ten
	// minutes; 0 means any number.
	RefreshesPerWindow int `json:"refreshes_per_window"`
	// LiveAccessTokens is how many access tokens of one grant live at a time.
	LiveAccessTokens int `json:"live_access_tokens"`
	// RefreshTokensPerUser is how many refresh tokens a user has before a new one
	// kills the oldest.
	RefreshTokensPerUser int `json:"refresh_tokens_per_user"`

	// LatencyMS is waited before every answer, in milliseconds.
	LatencyMS int `json:"latency_ms"`
	// Concurrency is how many API calls an org may have in flight; 0 means any
	// number.
	Concurrency int `json:"concurrency"`
	// HeavyConcurrency is how many of them may be COQL or bulk reads; 0 means any
	// number. [doc: API Limits]
	HeavyConcurrency int `json:"heavy_concurrency"`
	// PageLimit caps a page whatever the client asks; 0 means 200.
	PageLimit int `json:"page_limit"`
	// ListLimit is how many records a walk by page_token or by COQL's offset
	// reaches.
	ListLimit int `json:"list_limit"`
	// ListLagSeconds is how late changes show in lists, counts, COQL and the
	// deleted records; single reads show them at once.
	ListLagSeconds int64 `json:"list_lag_seconds"`
	// PageTokens says whether lists name a next_page_token.
	PageTokens bool `json:"page_tokens"`
	// UnchangedStatus answers a list by If-Modified-Since that has nothing: 304
	// or 204.
	UnchangedStatus int `json:"unchanged_status"`
	// AbsentStatus answers a read of a contact that is not there: 204, 404 or
	// 400.
	AbsentStatus int `json:"absent_status"`
	// UnknownFields says what becomes of fields that do not exist: FieldsDrop or
	// FieldsRefuse. RefuseOnlyID refuses a list of nothing but ids.
	UnknownFields string `json:"unknown_fields"`
	RefuseOnlyID  bool   `json:"refuse_only_id"`
	// CountAsNumber answers the count as a number.
	CountAsNumber bool `json:"count_as_number"`
	// ErrorForm is how errors of records come: ErrorFlat, ErrorWrapped in data,
	// or ErrorOK for a flat one with status 200.
	ErrorForm string `json:"error_form"`
	// Visible hides contacts whose number is higher from the user, as a narrowed
	// permission does; 0 means that all are visible.
	Visible int64 `json:"visible"`
	// RestoreMovesTime makes a restored contact's Modified_Time move.
	RestoreMovesTime bool `json:"restore_moves_time"`
	// OddFields adds fields to the metadata that lack json_type or have a
	// data_type nobody knows.
	OddFields bool `json:"odd_fields"`
	// OrgType is Production, Sandbox, Developer or Bigin.
	OrgType string `json:"org_type"`

	// BulkPage is how many rows a bulk read has.
	BulkPage int `json:"bulk_page"`
	// BulkPolls is how often a bulk read is asked for before it is done, and
	// BulkMS how many milliseconds of the provider's clock it takes at least.
	BulkPolls int `json:"bulk_polls"`
	BulkMS    int `json:"bulk_ms"`
	// BulkFirstState is the first state of a bulk read, ADDED or QUEUED.
	BulkFirstState string `json:"bulk_first_state"`
	// BulkIDHeader is what the id's column is called.
	BulkIDHeader string `json:"bulk_id_header"`

	// Webhooks says whether channels can be made; without, it is refused with
	// NO_PERMISSION.
	Webhooks bool `json:"webhooks"`
	// GrantSeconds caps the life of a channel whatever was asked; 0 does not.
	GrantSeconds int64 `json:"grant_seconds"`
	// WatchErrorStatus answers a channel that is refused: 400, 202 or 207.
	WatchErrorStatus int `json:"watch_error_status"`
	// WebhookWords are those of notifications' operation: WordsSQL or WordsCRUD.
	WebhookWords string `json:"webhook_words"`
	// WebhookChannelNumber sends channel_id as a number.
	WebhookChannelNumber bool `json:"webhook_channel_number"`
	WebhookSettings

	// HideDate leaves the Date header out.
	HideDate bool `json:"hide_date"`
}

// Values of settings.
const (
	Omitted          = "omit"
	AnswerEmpty      = "empty"
	AnswerNull       = "null"
	ExpiresInSeconds = "seconds"
	ExpiresInMS      = "ms"
	FieldsDrop       = "drop"
	FieldsRefuse     = "refuse"
	ErrorFlat        = "flat"
	ErrorWrapped     = "wrapped"
	ErrorOK          = "ok"

	WordsSQL  = "insert" // insert, update, delete
	WordsCRUD = "create" // create, edit, delete
)

func defaultZohoSettings() ZohoSettings {
	return ZohoSettings{
		ConsentOrg: DefaultOrg, MultiDC: true, TokenLifeSeconds: 3600,
		ExpiresIn: ExpiresInSeconds, RefreshTokenInAnswer: Omitted,
		RefreshesPerWindow: 10, LiveAccessTokens: 30, RefreshTokensPerUser: 20,
		Concurrency: 10, HeavyConcurrency: 10, ListLimit: 100_000, PageTokens: true, UnchangedStatus: 304, AbsentStatus: 204,
		UnknownFields: FieldsDrop, ErrorForm: ErrorFlat, OrgType: "Production",
		BulkPage: 200_000, BulkPolls: 2, BulkFirstState: "ADDED", BulkIDHeader: "Id",
		Webhooks: true, WatchErrorStatus: 400, WebhookWords: WordsSQL,
		WebhookSettings: WebhookSettings{WebhookTimeoutMS: 10_000, WebhookSpeed: 1, WebhookConcurrency: mostConcurrent},
	}
}

// Settings returns the settings as they are.
func (z *Zoho) Settings() ZohoSettings { return z.current() }

// Configure changes settings; change gets the current ones. What makes no sense
// is refused and changes nothing.
func (z *Zoho) Configure(change func(*ZohoSettings)) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	next := z.settings
	change(&next)
	if err := z.checkSettings(next); err != nil {
		return err
	}
	if next.ListLagSeconds != z.settings.ListLagSeconds {
		for _, o := range z.orgs {
			o.contacts.setLate(next.ListLagSeconds, z.sandbox.Now)
		}
	}
	z.settings = next
	z.site.setPace(time.Duration(0), next.HideDate)
	z.outbox.configure(next.WebhookSettings)
	return nil
}

func (z *Zoho) checkSettings(s ZohoSettings) error {
	if err := checkNumbers(s); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	for _, word := range []struct {
		name, value string
		allowed     []string
	}{
		{"expires_in", s.ExpiresIn, []string{ExpiresInSeconds, ExpiresInMS, Omitted}},
		{"refresh_token_in_answer", s.RefreshTokenInAnswer, []string{Omitted, AnswerEmpty, AnswerNull}},
		{"unknown_fields", s.UnknownFields, []string{FieldsDrop, FieldsRefuse}},
		{"error_form", s.ErrorForm, []string{ErrorFlat, ErrorWrapped, ErrorOK}},
		{"org_type", s.OrgType, []string{"Production", "Sandbox", "Developer", "Bigin"}},
		{"webhook_words", s.WebhookWords, []string{WordsSQL, WordsCRUD}},
		{"bulk_first_state", s.BulkFirstState, []string{"ADDED", "QUEUED"}},
	} {
		if !slices.Contains(word.allowed, word.value) {
			return fmt.Errorf("%s %q must be %s", word.name, word.value, strings.Join(word.allowed, ", "))
		}
	}
	if s.Scope != "" {
		if _, err := parseScopes(s.Scope); err != nil {
			return err
		}
	}
	if _, err := z.org(s.ConsentOrg); err != nil || s.ConsentOrg == 0 {
		return fmt.Errorf("consent_org %d does not exist", s.ConsentOrg)
	}
	return nil
}

func checkNumbers(s ZohoSettings) error {
	switch {
	case min(s.LatencyMS, s.Concurrency, s.HeavyConcurrency, s.PageLimit, s.RefreshesPerWindow, s.BulkPolls, s.BulkMS) < 0,
		min(s.Visible, s.ListLagSeconds, s.GrantSeconds) < 0:
		return errors.New("latency_ms, concurrency, heavy_concurrency, page_limit, refreshes_per_window, bulk_polls, bulk_ms, visible, list_lag_seconds and grant_seconds must not be negative")
	case min(s.TokenLifeSeconds, s.ListLimit, s.BulkPage, s.LiveAccessTokens, s.RefreshTokensPerUser) < 1:
		return errors.New("token_life_seconds, list_limit, bulk_page, live_access_tokens and refresh_tokens_per_user must be at least 1")
	case s.UnchangedStatus != 304 && s.UnchangedStatus != 204:
		return fmt.Errorf("unchanged_status %d must be 304 or 204", s.UnchangedStatus)
	case s.AbsentStatus != 204 && s.AbsentStatus != 404 && s.AbsentStatus != 400:
		return fmt.Errorf("absent_status %d must be 204, 404 or 400", s.AbsentStatus)
	case s.WatchErrorStatus != 400 && s.WatchErrorStatus != 202 && s.WatchErrorStatus != 207:
		return fmt.Errorf("watch_error_status %d must be 400, 202 or 207", s.WatchErrorStatus)
	}
	return nil
}
