package vault

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"example.com/enlace/store"
)

// batch is how many rows are read at once.
const batch = 100

// Rotation counts what a rotation did.
type Rotation struct {
	Sealed  int         // rows sealed anew
	Current int         // rows that had the current key already, or were sealed anew by a refresh meanwhile
	Failed  []uuid.UUID // rows with a token that doesn't open; they are as they were
}

// Rotate seals all tokens, and the secrets of channels, with the current key, row by row. It may be broken off and begun again, and a refresh at the
// same moment wins. All processes must have the current key in their key ring before.
func (v *Vault) Rotate(ctx context.Context) (Rotation, error) {
	var r Rotation
	err := each(ctx, v.store.ListSealed, func(was store.SealedTokens) error {
		if v.current(was.AccessToken) && v.current(was.RefreshToken) {
			r.Current++
			return nil
		}
		access, accessErr := v.open("rotate keys", was.ID, AccessToken, was.AccessToken)
		refresh, refreshErr := v.open("rotate keys", was.ID, RefreshToken, was.RefreshToken)
		if accessErr != nil || refreshErr != nil {
			r.Failed = append(r.Failed, was.ID)
			return nil
		}
		replaced, err := v.Reseal(ctx, was, access, refresh)
		if err != nil {
			return err
		}
		if replaced {
			r.Sealed++
		} else {
			r.Current++
		}
		return nil
	})
	if err == nil {
		err = v.rotateSecrets(ctx)
	}
	if err != nil {
		return r, fmt.Errorf("rotate keys: %w", err)
	}
	return r, nil
}

func (v *Vault) current(sealed string) bool { return sealed == "" || v.keys.isCurrent(sealed) }

// Reseal stores plain tokens in the place of the given stored ones: of another key, or of an earlier system. False, and
// nothing changed, if others are stored meanwhile.
func (v *Vault) Reseal(ctx context.Context, was store.SealedTokens, access, refresh string) (bool, error) {
	seal := func(column Column, text string) string {
		if text == "" {
			return ""
		}
		return v.Seal(was.ID, column, text)
	}
	return v.store.ReplaceSealed(ctx, was, seal(AccessToken, access), seal(RefreshToken, refresh))
}

// Foreign calls do for each integration with a token that isn't in the vault's format, until one fails.
func (v *Vault) Foreign(ctx context.Context, do func(store.SealedTokens) error) error {
	return each(ctx, v.store.ListForeign, do)
}

func each(ctx context.Context, list func(context.Context, uuid.UUID, int) ([]store.SealedTokens, error), do func(store.SealedTokens) error) error {
	after := uuid.Nil
	for {
		rows, err := list(ctx, after, batch)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := do(row); err != nil {
				return err
			}
			after = row.ID
		}
		if len(rows) < batch {
			return nil
		}
	}
}
