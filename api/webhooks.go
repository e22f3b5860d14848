package api

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// maxNotification bounds a provider's notification, in bytes; Meta's are the largest, with 3 MiB.
const maxNotification = 3 << 20

// What became of a notification, in the metrics.
const (
	webhookUnknown    = "unknown"    // there is no such channel
	webhookUnverified = "unverified" // not from the provider
	webhookMalformed  = "malformed"  // kept, but not understood
	webhookIgnored    = "ignored"    // nothing in it concerns us
	webhookFailed     = "failed"     // not kept: the provider sends it again
)

// mountWebhooks mounts the addresses that providers notify: one for each account that is subscribed, and one for all
// accounts of an app whose notifications name their account.
func (s *Server) mountWebhooks() error {
	handler := http.HandlerFunc(s.webhook)
	return s.mountRoutes(
		route{method: http.MethodPost, path: "/webhooks/{provider}", access: accessSigned, limit: maxNotification, handler: handler},
		route{method: http.MethodPost, path: "/webhooks/{provider}/{channel}", access: accessSigned, limit: maxNotification, handler: handler},
	)
}

// webhook takes a provider's notification. It is acknowledged once it is in the inbox, and verified before that; what it
// tells is worked on later.
func (s *Server) webhook(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("provider")
	provider := s.providers[name]
	if provider == nil || provider.Changes == nil {
		s.metrics.webhooks.WithLabelValues("none", webhookUnknown).Inc()
		s.fail(w, r, &fault{code: codeNotFound})
		return
	}
	result, err := s.notice(r, provider)
	s.metrics.webhooks.WithLabelValues(name, result).Inc()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.reply(w, http.StatusOK, map[string]string{"result": result})
}

// notice verifies a notification and puts it into the inbox.
func (s *Server) notice(r *http.Request, p *providers.Provider) (result string, err error) {
	id, ch, fresh, err := s.channelOf(r, p)
	if errors.Is(err, store.ErrNotFound) {
		return webhookUnknown, err
	}
	if err != nil {
		return webhookFailed, err
	}
	body, leave, err := s.room.read(r.Body)
	kept := false
	defer func() {
		if !kept {
			leave()
		}
	}()
	if errors.Is(err, errFull) {
		return webhookFailed, s.crowded()
	}
	if _, tooMuch := errors.AsType[*http.MaxBytesError](err); tooMuch {
		return webhookUnverified, tooLarge(maxNotification)
	}
	if err != nil { // the sender broke off
		return webhookFailed, notJSON(int64(len(body)))
	}
	n := providers.Notification{URL: s.publicURL.String() + r.URL.RequestURI(), Secret: ch.secret, Header: r.Header, Body: body}
	changes, err := p.Changes.Read(n)
	if errors.Is(err, providers.ErrUnverified) && !fresh { // the secret may be another one by now
		s.channels.forget(id)
		if _, ch, _, err = s.channelOf(r, p); err != nil {
			return webhookUnknown, err
		}
		n.Secret = ch.secret
		changes, err = p.Changes.Read(n)
	}
	if errors.Is(err, providers.ErrUnverified) {
		return webhookUnverified, &fault{code: words.Unauthorized, header: http.Header{"Www-Authenticate": {`Basic realm="enlace"`}}}
	}
	d := store.Delivery{Provider: p.Name, Channel: id, Body: body, Changes: noted(changes), Key: dedupeKey(changes, body)}
	switch {
	case err != nil:
		d.Error = providers.Redact(err.Error())
	case len(d.Changes) == 0:
		return webhookIgnored, nil
	}
	kept = true
	receipt, storeErr := s.inbox.receive(r.Context(), d, leave)
	switch {
	case storeErr != nil:
		return webhookFailed, storeErr
	case receipt == store.DeliveryUnknown:
		s.channels.forget(id)
		return webhookUnknown, store.ErrNotFound
	case err != nil:
		s.log.Warn().Str("provider", p.Name).Str("error", d.Error).Msg("a notification could not be understood; it is kept")
		return webhookMalformed, nil
	}
	return string(receipt), nil
}

// channelOf finds the channel that a notification came to; without one, one setting serves all accounts of our app.
func (s *Server) channelOf(r *http.Request, p *providers.Provider) (id uuid.UUID, ch channel, fresh bool, err error) {
	text := r.PathValue("channel")
	switch own := p.Changes.Subscribe != nil; {
	case !own && text == "":
		return uuid.Nil, channel{}, true, nil
	case !own || text == "":
		return uuid.Nil, channel{}, true, store.ErrNotFound
	}
	if id, err = uuid.Parse(text); err != nil || id == uuid.Nil || id.String() != text {
		return uuid.Nil, channel{}, true, store.ErrNotFound
	}
	ch, fresh, err = s.channels.of(r.Context(), p.Name, id)
	return id, ch, fresh, err
}

// noted is what the store keeps of changes: those that name a record.
func noted(changes []providers.Change) []store.NotedChange {
	var list []store.NotedChange
	for _, c := range changes {
		if len(c.ExternalIDs) > 0 {
			list = append(list, store.NotedChange{Account: c.Account, ExternalIDs: c.ExternalIDs, Deleted: c.Deleted})
		}
	}
	return list
}

// dedupeKey is the same for every delivery of the same events: by their own keys, if they all have one, else by the body.
func dedupeKey(changes []providers.Change, body []byte) []byte {
	keys := make([]string, 0, len(changes))
	for _, c := range changes {
		if c.Key != "" {
			keys = append(keys, c.Key)
		}
	}
	if len(keys) == 0 || len(keys) < len(changes) {
		sum := sha256.Sum256(body)
		return sum[:]
	}
	slices.Sort(keys)
	h := sha256.New()
	for _, k := range slices.Compact(keys) {
		h.Write([]byte(k))
		h.Write([]byte{0})
	}
	return h.Sum(nil)
}
