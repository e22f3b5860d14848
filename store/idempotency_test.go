package store_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	age := func(t *testing.T, key, sql string) {
		t.Helper()
		tag, err := pool.Exec(t.Context(), `UPDATE idempotency_keys SET `+sql+` WHERE key = $1`, key)
		require.NoError(t, err)
		require.EqualValues(t, 1, tag.RowsAffected())
	}
	claim := func(t *testing.T, key, content string) (store.KeyClaim, store.KeyState, store.Answer) {
		t.Helper()
		c, state, answer, err := s.ClaimKey(t.Context(), store.IdempotencyKey{TenantID: uuid.Nil, Key: key, RequestHash: []byte(content)})
		require.NoError(t, err)
		return c, state, answer
	}
	answer := store.Answer{Status: 202, ContentType: "application/json", Body: []byte(`{"id":"7"}`)}

	t.Run("AnAnswerIsRepeatedForADay", func(t *testing.T) {
		t.Parallel()

		c, state, _ := claim(t, "day", "a")
		require.Equal(t, store.KeyClaimed, state)
		_, state, _ = claim(t, "day", "a")
		require.Equal(t, store.KeyRunning, state)
		require.NoError(t, s.AnswerKey(t.Context(), nil, c, answer))
		_, state, got := claim(t, "day", "a")
		require.Equal(t, store.KeyAnswered, state)
		require.Equal(t, answer, got)
		_, state, _ = claim(t, "day", "b")
		require.Equal(t, store.KeyReused, state)
		age(t, "day", `created_at = now() - interval '23 h'`)
		_, state, _ = claim(t, "day", "a")
		require.Equal(t, store.KeyAnswered, state)
		age(t, "day", `created_at = now() - interval '25 h'`)
		_, state, _ = claim(t, "day", "b")
		require.Equal(t, store.KeyClaimed, state)
	})

	t.Run("WhoWasThoughtDeadCommitsNothing", func(t *testing.T) {
		t.Parallel()

		slow, _, _ := claim(t, "slow", "a")
		age(t, "slow", `locked_until = now() - interval '1 s'`)
		_, state, _ := claim(t, "slow", "b")
		require.Equal(t, store.KeyReused, state, "another request doesn't take over")
		age(t, "slow", `locked_until = now() - interval '2 s'`)
		fast, state, _ := claim(t, "slow", "a")
		require.Equal(t, store.KeyClaimed, state)

		err := s.Tx(t.Context(), func(tx pgx.Tx) error {
			if err := s.Audit(t.Context(), tx, store.Audit{Actor: "slow", Action: "work", Subject: "1"}); err != nil {
				return err
			}
			return s.AnswerKey(t.Context(), tx, slow, answer)
		})
		require.ErrorIs(t, err, store.ErrKeyLost)
		var done int
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM audit_log WHERE actor = 'slow'`).Scan(&done))
		require.Zero(t, done)
		require.NoError(t, s.ReleaseKey(t.Context(), slow), "what isn't its own it doesn't release")
		require.NoError(t, s.AnswerKey(t.Context(), nil, fast, answer))
	})

	t.Run("WorkThatFailsLeavesTheKeyFree", func(t *testing.T) {
		t.Parallel()

		c, _, _ := claim(t, "fails", "a")
		fails := errors.New("no")
		require.ErrorIs(t, s.Tx(t.Context(), func(tx pgx.Tx) error {
			if err := s.AnswerKey(t.Context(), tx, c, answer); err != nil {
				return err
			}
			return fails
		}), fails)
		require.NoError(t, s.ReleaseKey(t.Context(), c))
		_, state, _ := claim(t, "fails", "b")
		require.Equal(t, store.KeyClaimed, state)
	})
}
