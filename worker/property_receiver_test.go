//go:build unix

package worker_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

// receiver takes notifications as the API does: verified and in the inbox before they are acknowledged.
func (s *story) receiver() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		n := providers.Notification{URL: s.public + r.URL.RequestURI(), Header: r.Header, Body: body}
		d := store.Delivery{Provider: s.provider, Body: body}
		if text := r.PathValue("channel"); text != "" {
			if d.Channel, err = uuid.Parse(text); err == nil {
				n.Secret, err = s.secret(r, d.Channel)
			}
			if err != nil {
				w.WriteHeader(http.StatusNotFound)
				return
			}
		}
		changes, err := s.list[0].Changes.Read(n)
		if errors.Is(err, providers.ErrUnverified) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var keys []string
		for _, c := range changes {
			keys = append(keys, c.Key)
			if len(c.ExternalIDs) > 0 {
				d.Changes = append(d.Changes, store.NotedChange{Account: c.Account, ExternalIDs: c.ExternalIDs, Deleted: c.Deleted})
			}
		}
		event := sha256.Sum256([]byte(strings.Join(keys, "\n")))
		if strings.Join(keys, "") == "" {
			event = sha256.Sum256(body)
		}
		d.Key = event[:]
		if _, err := s.jobs.Receive(r.Context(), []store.Delivery{d}); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
}

// secret is that of a channel.
func (s *story) secret(r *http.Request, channel uuid.UUID) (string, error) {
	sub := store.Subscription{Channel: channel}
	err := s.pool.QueryRow(r.Context(), `SELECT integration_id, secret FROM webhook_subscriptions WHERE channel = $1`, channel).Scan(&sub.IntegrationID, &sub.Secret)
	if err != nil {
		return "", err
	}
	return s.vault.ChannelSecret(sub)
}
