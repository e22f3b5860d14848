package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// readOrg is GET /crm/v8/org. [spec30: org.json]
func (z *Zoho) readOrg(w http.ResponseWriter, r *http.Request, s zohoSession) {
	if refused := knownParams(r.URL.Query(), nil); refused != nil {
		refused.write(w)
		return
	}
	o := s.org
	writeZoho(w, http.StatusOK, map[string]any{"org": []map[string]any{{
		"id": strconv.FormatInt(o.recordID(userIDs+1), 10), "zgid": strconv.Itoa(o.zgid), "company_name": o.name,
		"time_zone": o.zone, "type": s.settings.OrgType, "domain_name": "org" + strconv.Itoa(o.zgid), "alias": nil,
		"country": "SE", "country_code": "SE", "city": nil, "street": nil, "state": nil, "zip": nil, "description": nil,
		"phone": "+46 8 123 456 00", "mobile": nil, "fax": nil, "website": "https://example.com", "photo_id": nil,
		"currency": "Euro - EUR", "currency_symbol": "€", "currency_locale": "de_DE", "iso_code": "EUR", "employee_count": "12",
		"primary_email": o.userEmail(), "primary_zuid": strconv.Itoa(o.zgid + 1000), "ezgid": "ezgid-" + strconv.Itoa(o.zgid),
		"zia_zgid": o.zgid, "zia_portal_id": nil, "max_per_page": mostPerPage, "created_time": "2019-02-28T23:59:59+01:00",
		"mc_status": false, "gapps_enabled": false, "translation_enabled": false, "deletable_org_account": true,
		"privacy_settings": true, "hipaa_compliance_enabled": false, "lite_users_enabled": false, "oauth_presence": true,
		"call_icon": "telephony", "checkin_preferences": map[string]any{"restricted_event_types": nil},
		"hierarchy_preferences": map[string]any{"type": "Role_Hierarchy", "strictly_reporting": false},
		"license_details": map[string]any{
			"paid": true, "paid_type": "enterprise", "paid_expiry": z.sandbox.Now().AddDate(1, 0, 0).Truncate(24 * time.Hour).Format(zohoTimeForm),
			"users_license_purchased": 5, "trial_type": nil, "trial_expiry": nil, "trial_action": "no_action",
		},
	}}})
}

// userTypes are the values of type, and those whose answer holds the org's one
// user.
var (
	userTypes = []string{
		"", "AllUsers", "ActiveUsers", "DeactiveUsers", "ConfirmedUsers", "NotConfirmedUsers", "DeletedUsers",
		"ActiveConfirmedUsers", "AdminUsers", "ActiveConfirmedAdmins", "CurrentUser",
	}
	emptyUserTypes = []string{"DeactiveUsers", "NotConfirmedUsers", "DeletedUsers"}
)

// listUsers is GET /crm/v8/users. The org has one user, who is the one who
// consented. [spec30: users.json]
func (z *Zoho) listUsers(w http.ResponseWriter, r *http.Request, s zohoSession) {
	query := r.URL.Query()
	q := zohoQuestion{perPage: mostPerPage, page: 1}
	refused := knownParams(query, []string{"type", "page", "per_page"})
	if refused == nil {
		refused = q.askPage(query, s.settings.PageLimit)
	}
	if refused == nil && !slices.Contains(userTypes, query.Get("type")) {
		invalid := invalidParam("type", "the type given seems to be invalid")
		refused = &invalid
	}
	if refused != nil {
		refused.write(w)
		return
	}
	if q.page > 1 || slices.Contains(emptyUserTypes, query.Get("type")) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	o := s.org
	writeZoho(w, http.StatusOK, map[string]any{
		"users": []map[string]any{{
			"id": o.userID(), "zuid": strconv.Itoa(o.zgid + 1000), "email": o.userEmail(), "full_name": o.userName(),
			"first_name": "Sandbox", "last_name": "User " + strconv.Itoa(o.index+1), "status": "active", "confirm": true,
			"role":    map[string]string{"name": "CEO", "id": strconv.FormatInt(o.recordID(userIDs+2), 10)},
			"profile": map[string]string{"name": "Administrator", "id": strconv.FormatInt(o.recordID(userIDs+3), 10)},
			"country": nil, "phone": nil, "mobile": nil, "language": "en_US", "locale": "en_US", "category": "regular_user",
			"created_time": "2019-02-28T23:59:59+01:00", "Modified_Time": "2024-02-29T00:00:00+01:00",
		}},
		"info": map[string]any{"per_page": q.perPage, "count": 1, "page": 1, "more_records": false},
	})
}
