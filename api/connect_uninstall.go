package api

import (
	"context"
	"errors"
	"io"
	"net/http"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// providerActor is who acts when a provider tells us what a person did there.
const providerActor = "provider:"

// uninstalled takes a provider's notice that a person has removed our app there: Pipedrive sends it to the address of the
// callback, once, and doesn't read the answer. Repeated, or about an account that nobody has here, it changes nothing.
func (s *Server) uninstalled(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if _, tooMuch := errors.AsType[*http.MaxBytesError](err); tooMuch {
		err = tooLarge(maxBody)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	provider, account, err := s.readUninstall(r, body)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ctx := context.WithoutCancel(r.Context()) // it isn't sent again
	n, err := s.vault.Uninstalled(ctx, provider, account)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if n > 0 {
		s.log.Info().Str("provider", provider).Int("integrations", n).Msg("our app was removed at the provider")
		err = s.store.Audit(ctx, nil, store.Audit{
			Actor: providerActor + provider, Action: "integration.uninstall", Subject: account, Details: map[string]any{"integrations": n},
		})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.reply(w, http.StatusOK, map[string]int{"disconnected": n})
}

// readUninstall asks each provider that has such notices whether this is one of its own.
func (s *Server) readUninstall(r *http.Request, body []byte) (provider, account string, err error) {
	for name, p := range s.providers {
		if p.Uninstall == nil {
			continue
		}
		account, err := p.Uninstall(r, body)
		switch {
		case errors.Is(err, providers.ErrUnverified):
			continue
		case err != nil:
			f := invalid("body", words.PhraseFormat, `{"company_id":4242,"user_id":7001}`)
			f.status, f.err = http.StatusBadRequest, err
			return "", "", f
		}
		return name, account, nil
	}
	return "", "", &fault{code: words.Unauthorized, header: http.Header{"Www-Authenticate": {`Basic realm="enlace"`}}}
}
