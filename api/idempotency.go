package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// releaseTimeout bounds how long a key is tried to be given back.
const releaseTimeout = 5 * time.Second

// IdempotencyHeader is what every POST that causes work is asked with. Exported, since Huma looks for parameters in exported
// fields only.
type IdempotencyHeader struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"The caller's name for this request: repeated with the same body within a day, it gives the same answer and works once."`
}

// shownOnce are answers with a secret in them, which is stored nowhere: a repeated request works no second time either, but
// is refused.
type shownOnce interface{ shownOnce() }

// once does work in one transaction with its answer, under the caller's key if it named one. A repeated request gets the
// stored answer; a process that dies in between has done neither, and the next request does both. A refusal isn't kept:
// nothing was done, so the key may be used again.
func once[T any](ctx context.Context, s *Server, key string, do func(context.Context, pgx.Tx) (T, error)) (out T, err error) {
	if key == "" {
		err = s.store.Tx(ctx, func(tx pgx.Tx) error {
			out, err = do(ctx, tx)
			return err
		})
		return out, err
	}
	return underKey(ctx, s, key, func(ctx context.Context, answer func(pgx.Tx, T) error) (out T, err error) {
		err = s.store.Tx(ctx, func(tx pgx.Tx) error {
			if out, err = do(ctx, tx); err != nil {
				return err
			}
			return answer(tx, out)
		})
		return out, err
	})
}

// onceBeside is [once] for work that has a transaction of its own and can't be done twice: a run is cancelled once. If the
// process dies before the answer is stored, the repeated request is told so.
func onceBeside[T any](ctx context.Context, s *Server, key string, do func(context.Context) (T, error)) (T, error) {
	if key == "" {
		return do(ctx)
	}
	return underKey(ctx, s, key, func(ctx context.Context, answer func(pgx.Tx, T) error) (T, error) {
		out, err := do(ctx)
		if err != nil {
			return out, err
		}
		if err := answer(nil, out); err != nil { // the work is done: who repeats the request is refused, not served twice
			s.log.Error().Err(err).Str("request_id", callOf(ctx).id).Msg("the answer of an idempotency key could not be stored")
		}
		return out, nil
	})
}

func underKey[T any](ctx context.Context, s *Server, key string, work func(context.Context, func(pgx.Tx, T) error) (T, error)) (out T, err error) {
	c := callOf(ctx)
	claim, state, stored, err := s.store.ClaimKey(ctx, store.IdempotencyKey{TenantID: c.principal.Tenant, Key: key, RequestHash: requestHash(c)})
	if err != nil {
		return out, err
	}
	switch state {
	case store.KeyAnswered:
		if _, secret := any(out).(shownOnce); secret {
			return out, &fault{code: words.Conflict, variant: words.VariantKeyReused, status: http.StatusConflict, hint: "The request was answered, by a secret that is shown once and not kept. Ask again under another key."}
		}
		if err := json.Unmarshal(stored.Body, &out); err != nil {
			return out, fmt.Errorf("read stored answer: %w", err)
		}
		return out, nil
	case store.KeyRunning:
		return out, &fault{code: words.Conflict, variant: words.VariantKeyRunning, retryAt: s.opts.Now().Add(time.Second)}
	case store.KeyReused:
		return out, &fault{code: words.Conflict, variant: words.VariantKeyReused}
	case store.KeyClaimed:
	}
	finished := false
	defer func() { // a panic gives the key back too
		if !finished {
			s.releaseKey(ctx, claim)
		}
	}()
	out, err = work(ctx, func(tx pgx.Tx, out T) error {
		answer := store.Answer{Status: c.status, ContentType: "application/json"}
		if _, secret := any(out).(shownOnce); !secret {
			if answer.Body, err = json.Marshal(out); err != nil {
				return fmt.Errorf("write answer: %w", err)
			}
		}
		if tx == nil {
			return s.store.AnswerKey(ctx, nil, claim, answer)
		}
		return s.store.AnswerKey(ctx, tx, claim, answer)
	})
	finished = err == nil
	return out, err
}

// releaseKey gives a key back even if the caller has left. If it can't be, the key's lease runs out by itself.
func (s *Server) releaseKey(ctx context.Context, claim store.KeyClaim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := s.store.ReleaseKey(ctx, claim); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn().Err(err).Str("request_id", callOf(ctx).id).Msg("an idempotency key could not be given back")
	}
}

// requestHash tells requests apart: what is asked, and of what. Spaces around a body's members don't matter.
func requestHash(c *call) []byte {
	var body bytes.Buffer
	if err := json.Compact(&body, c.body); err != nil {
		body.Reset()
		body.Write(c.body)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n", c.request.Method, c.request.URL.RequestURI())
	h.Write(body.Bytes())
	return h.Sum(nil)
}
