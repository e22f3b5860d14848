package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// deletedContact is one entry of GET /crm/v8/Contacts/deleted. What was there to
// say is null for permanent ones. [spec31]
type deletedContact struct {
	DeletedBy   *minifiedUser `json:"deleted_by"`
	ID          string        `json:"id"`
	DisplayName *string       `json:"display_name"`
	Type        string        `json:"type"`
	CreatedBy   *minifiedUser `json:"created_by"`
	DeletedTime string        `json:"deleted_time"`
}

type minifiedUser struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

func (o *zohoOrg) minifiedUser() *minifiedUser { return &minifiedUser{o.userName(), o.userID()} }

// Kinds of deletion.
const (
	deletedAll       = "all"
	deletedRecycle   = "recycle"
	deletedPermanent = "permanent"
)

// deletionOf says how a record is deleted at now, "" if it lives or nothing is
// known of it any more: 60 days in the recycle bin, listed for 120. [earlier
// research]
func deletionOf(r record, now time.Time) string {
	age := now.Sub(time.Unix(r.deleted, 0))
	switch {
	case r.deleted == 0 || age >= deletedRetained:
		return ""
	case r.purged || age >= recycleRetained:
		return deletedPermanent
	}
	return deletedRecycle
}

// listDeleted is GET /crm/v8/Contacts/deleted, paged by number only, the newest
// first. [?: the order is not documented]
func (z *Zoho) listDeleted(w http.ResponseWriter, r *http.Request, s zohoSession) {
	query := r.URL.Query()
	q := zohoQuestion{perPage: mostPerPage, page: 1}
	refused := knownParams(query, []string{"type", "page", "per_page"})
	if refused == nil {
		refused = q.askDeletedPage(query, s.settings.PageLimit)
	}
	kind := query.Get("type")
	if kind == "" {
		kind = deletedAll
	}
	if kind != deletedAll && kind != deletedRecycle && kind != deletedPermanent && refused == nil {
		invalid := invalidParam("type", "type must be all, recycle or permanent")
		refused = &invalid
	}
	since, bad := modifiedSince(r)
	if refused == nil {
		refused = bad
	}
	if refused != nil {
		refused.in(s.settings.ErrorForm).write(w)
		return
	}
	now := z.sandbox.Now()
	found, more := s.org.contacts.deletedPage(q.skip, q.limit, func(r record) bool {
		is := deletionOf(r, now)
		return is != "" && (kind == deletedAll || is == kind) && (since == nil || r.deleted >= *since) &&
			(s.settings.Visible == 0 || r.id <= s.settings.Visible)
	})
	if len(found) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	list := make([]deletedContact, 0, len(found))
	for _, r := range found {
		list = append(list, s.org.deletedContact(r, deletionOf(r, now)))
	}
	writeZoho(w, http.StatusOK, map[string]any{"data": list, "info": map[string]any{
		"per_page": q.perPage, "count": len(list), "page": q.page, "more_records": more,
	}})
}

func (q *zohoQuestion) askDeletedPage(query url.Values, pageLimit int) *zohoRefusal {
	page := query.Get("page")
	numbered := url.Values{}
	for name := range query {
		if name != "page" { // its limit of positions is the list's alone
			numbered.Set(name, query.Get(name))
		}
	}
	if refused := q.askPage(numbered, pageLimit); refused != nil {
		return refused
	}
	if page != "" {
		n, err := strconv.Atoi(page)
		if err != nil || n < 1 || n > 1<<30 {
			refused := invalidParam("page", "page must be a whole number from 1 on")
			return &refused
		}
		q.page = n
	}
	q.skip = (q.page - 1) * q.perPage
	return nil
}

func (o *zohoOrg) deletedContact(r record, kind string) deletedContact {
	d := deletedContact{
		ID: strconv.FormatInt(o.recordID(r.id), 10), Type: kind,
		DeletedTime: time.Unix(r.deleted, 0).In(zones[0]).Format(zohoTimeForm),
	}
	if kind == deletedRecycle {
		var view contactView
		name := view.fullName(o, r)
		d.DisplayName, d.DeletedBy, d.CreatedBy = &name, o.minifiedUser(), o.minifiedUser()
	}
	return d
}
